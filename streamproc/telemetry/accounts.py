"""The books: what was fetched, what became of it, and how long it took."""

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np

from streamproc.core import (
    Int64Array,
    InvariantError,
    Outcome,
    Reason,
)
from streamproc.telemetry.exemplars import Exemplars
from streamproc.telemetry.histogram import COARSE_NS, LatencyHistogram
from streamproc.telemetry.names import LANE_DEFAULT, LANE_UNKNOWN
from streamproc.telemetry.rollout import RolloutBooks
from streamproc.telemetry.summary import Summary, latency_ms, stage_ms
from streamproc.telemetry.tail import STAGES, Stage, Tail, TailCounts

BatchReason = Literal["full", "deadline", "idle", "drain"]
"""Why a micro-batch was started when it was."""

BATCH_REASONS: Final[tuple[BatchReason, ...]] = get_args(BatchReason)

SkipReason = Literal["retention", "skip_ahead"]
"""Why records were never fetched: they were deleted before, or jumped over because they were too old."""

SKIP_REASONS: Final[tuple[SkipReason, ...]] = get_args(SkipReason)

Verdict = Literal["sure", "escalated", "no_time", "failed"]
"""Of a cascade's answer: it was sure; a better variant answered; there was no time for one; it did not answer."""

VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)

UNKNOWN: Final = -1
"""Stands for a lane where there are several and an event's was never known."""

E2E: Final = "e2e"
OWN: Final = "own"
"""Two of the latencies that have exemplars; the others are the stages, and the lanes where there are several."""

BATCH_SIZE_BOUNDS: Final = tuple(1 << power for power in range(14))
"""The buckets of the batch size, 1 to 8,192; a size equal to a bound is within it."""


_COUNTERS = (
    *("fetched", "handed_back", "restored", "emitted", "acked_late", "batched", "batch_room"),
    *("wrong_event_times", "unread_deadlines", "traces_exported", "traces_dropped"),
    *("recorder_dropped",),
)
"""Attributes of ``Accounts`` that are plain sums."""


def lane_key(lane: int) -> str:
    """Of a lane's latency, among those that have exemplars."""
    return f"lane {lane}"


class Accounts:
    """Counts what a pipeline does, a batch at a time; belongs to the event loop's thread.

    Args:
        pipeline: its name.
        exact_bounds_ns: the deadlines and SLO latencies for which the buckets must be exact.
        lanes: the lanes' names.
        shed_reasons: for which events may be shed: their series stand at 0 from the start.

    Attributes:
        lanes: the lanes' names.
        shed_reasons: for which events may be shed.
        fetched: events taken from the source.
        handed_back: those of them that were given up before they had an outcome.
        skips: records that were never fetched, by reason.
        restored: events read again only to rebuild state; no part of ``consumed``.
        emitted: decisions that no single event caused, such as a window's.
        acked_late: decisions published in time and acknowledged after their deadline.
        wrong_event_times: events whose time was too far ahead to be true; their arrival stood in for it.
        unread_deadlines: deadlines in headers that are no number; the budget counted instead.
        traces_exported: traces that the collector has taken.
        traces_dropped: traces that it has not.
        recorder_dropped: records, decisions and outcomes that a recording lacks.
        traces_suppressed: by outcome, events that ``always`` asks a trace of and that have none: too many in a second.
        variants: by variant, how many events it was run with, and for how long (ns).
        verdicts: of a cascade, by variant and verdict, how many of its answers there were.
        e2e: from event time to the broker's acknowledgement.
        e2e_by_lane: the same by lane; empty where there is one.
        exemplars: of each latency, by the metric's part: ``e2e``, ``own``, the stages, and ``lane_key`` of each of
            several lanes.
        tail: where the time of the slowest went.
        gc_pauses: how long the garbage collector held everything up.
        own: this process's part of it, from fetched to handed to the producer.
        stages: the same by stage.
        batches: micro-batches by the reason of their start.
        batch_sizes: how many of them fell into each of ``BATCH_SIZE_BOUNDS``, and behind the last.
        batched: the sum of their sizes.
        batch_room: the sum of what they could have held.
        rollout: the books of the models that are tried beside the one that decides.
    """

    def __init__(
        self,
        *,
        pipeline: str,
        exact_bounds_ns: Sequence[int] = (),
        lanes: Sequence[str] = (LANE_DEFAULT,),
        shed_reasons: Sequence[Reason] = (Reason.EXPIRED,),
    ) -> None:
        self.pipeline = pipeline
        self.lanes = tuple(lanes)
        self.shed_reasons = tuple(shed_reasons)
        self.fetched = 0
        self.handed_back = 0
        self.skips: dict[SkipReason, int] = dict.fromkeys(SKIP_REASONS, 0)
        self.restored = 0
        self.emitted = 0
        self.acked_late = 0
        self.wrong_event_times = 0
        self.unread_deadlines = 0
        self.traces_exported = 0
        self.traces_dropped = 0
        self.recorder_dropped = 0
        self.traces_suppressed: dict[Outcome, int] = {}
        self.variants: dict[int, tuple[int, int]] = {}
        self.verdicts: dict[tuple[int, Verdict], int] = {}
        self.e2e = LatencyHistogram(exact_bounds_ns)
        several = len(self.lanes) > 1
        self.e2e_by_lane = [LatencyHistogram(exact_bounds_ns) for _ in self.lanes if several]
        lane_keys = [lane_key(number) for number in range(len(self.e2e_by_lane))]
        self.exemplars = {
            name: Exemplars(self.e2e.bounds_ns) for name in (E2E, OWN, *STAGES, *lane_keys)
        }
        self.tail = TailCounts()
        self.gc_pauses = LatencyHistogram(bounds_ns=COARSE_NS)
        self.own = LatencyHistogram(exact_bounds_ns)
        self.stages: dict[Stage, LatencyHistogram] = {
            name: LatencyHistogram(exact_bounds_ns) for name in STAGES
        }
        self.batches: dict[BatchReason, int] = dict.fromkeys(BATCH_REASONS, 0)
        self.batch_sizes = [0] * (len(BATCH_SIZE_BOUNDS) + 1)
        self.batched = 0
        self.batch_room = 0
        self.rollout = RolloutBooks()
        # One row a lane, and the last for events whose lane was never known.
        self._by_code: Int64Array = np.zeros((len(self.lanes) + 1, len(Outcome)), dtype=np.int64)
        self._by_reason: dict[tuple[int, Outcome, str], int] = {}
        self._consumed = 0

    def settle(self, outcome: Outcome, count: int, reason: str = "", *, lane: int = 0) -> None:
        """So many events of a lane (or ``UNKNOWN``) ended in this way, for this reason.

        Raises:
            ValueError: count is negative.
        """
        if count < 0:
            msg = f"an outcome cannot be taken back: {count} x {outcome.word}"
            raise ValueError(msg)
        self._consumed += int(count)
        if not reason:
            self._by_code[lane, outcome] += count
        elif count:
            key = (lane, outcome, str(reason))
            self._by_reason[key] = self._by_reason.get(key, 0) + int(count)

    def settle_lanes(self, outcome: Outcome, lane: Int64Array, reason: str = "") -> None:
        """Events ended in this way, for this reason.

        Args:
            outcome: what became of them.
            lane: int64 [n], the lane of each.
            reason: why.
        """
        for number, count in enumerate(np.bincount(lane).tolist()):
            if count:
                self.settle(outcome, count, reason, lane=number)

    def latency(self, values_ns: Int64Array, lane: Int64Array | int = 0) -> None:
        """These decisions took so long from event time to acknowledgement.

        Args:
            values_ns: int64 [n].
            lane: int64 [n], the lane of each, or one number where all are of one.
        """
        self.e2e.add(values_ns)
        if not self.e2e_by_lane:
            return
        if isinstance(lane, int):
            self.e2e_by_lane[lane].add(values_ns)
            return
        for number in np.flatnonzero(np.bincount(lane)).tolist():
            self.e2e_by_lane[number].add(values_ns[lane == number])

    def run(self, variant: int, size: int, took_ns: int) -> None:
        """A micro-batch has run.

        Args:
            variant: which variant of the model it was.
            size: events in it.
            took_ns: how long it was with the executor.
        """
        events, busy_ns = self.variants.get(variant, (0, 0))
        self.variants[variant] = (events + size, busy_ns + took_ns)

    def judged(self, variant: int, verdict: Verdict, count: int) -> None:
        """So many answers of a cascade's variant were sure, or what became of them."""
        key = (variant, verdict)
        self.verdicts[key] = self.verdicts.get(key, 0) + count

    def suppressed(self, outcome: Outcome, count: int) -> None:
        """So many events of this outcome have no trace, though they were to have one."""
        self.traces_suppressed[outcome] = self.traces_suppressed.get(outcome, 0) + count

    def slowest(self) -> Tail | None:
        """Where the time of the slowest events went; None where that is not known yet."""
        return self.tail.tail(self.stages)

    def stage(self, name: Stage, values_ns: Int64Array) -> None:
        """These events spent so long in a stage, int64 [n] ns."""
        self.stages[name].add(values_ns)

    def stage_constant(self, name: Stage, value_ns: int, count: int) -> None:
        """So many events spent the same time in a stage, such as a batch's run."""
        self.stages[name].add_constant(value_ns, count)

    def batch(self, size: int, reason: BatchReason, *, room: int = 0) -> None:
        """A micro-batch was started.

        Args:
            size: events in it.
            reason: why it was started then.
            room: events that it could have held.

        Raises:
            ValueError: it is empty.
        """
        if size < 1:
            msg = f"a batch holds at least one event, was {size}"
            raise ValueError(msg)
        self.batches[reason] += 1
        self.batched += size
        self.batch_room += max(size, room)
        self.batch_sizes[min((size - 1).bit_length(), len(BATCH_SIZE_BOUNDS))] += 1

    @property
    def settled(self) -> dict[tuple[Outcome, str], int]:
        """Events by outcome and reason, those that occurred."""
        totals: dict[tuple[Outcome, str], int] = {}
        for (_, outcome, reason), count in self.settled_by_lane.items():
            totals[outcome, reason] = totals.get((outcome, reason), 0) + count
        return totals

    @property
    def settled_by_lane(self) -> dict[tuple[str, Outcome, str], int]:
        """Events by lane, outcome and reason, those that occurred."""
        names = (*self.lanes, LANE_UNKNOWN)
        found = {
            (names[lane], Outcome(code), ""): int(self._by_code[lane, code])
            for lane, code in np.argwhere(self._by_code).tolist()
        }
        return found | {
            (names[lane], outcome, reason): count
            for (lane, outcome, reason), count in self._by_reason.items()
        }

    @property
    def lane_outcomes(self) -> dict[str, dict[Outcome, int]]:
        """Events by lane and outcome: of all lanes, and of those whose lane was never known."""
        names = (*self.lanes, LANE_UNKNOWN)
        totals = {name: dict.fromkeys(Outcome, 0) for name in names}
        for (lane, outcome, _), count in self.settled_by_lane.items():
            totals[lane][outcome] += count
        return totals

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Events by outcome, all of them."""
        by_code = self._by_code.sum(axis=0).tolist()
        totals: dict[Outcome, int] = dict(zip(Outcome, by_code, strict=True))
        for (_, outcome, _), count in self._by_reason.items():
            totals[outcome] += count
        return totals

    @property
    def reasons(self) -> dict[str, int]:
        """Events by reason, those that occurred, whatever the outcome."""
        totals: dict[str, int] = {}
        for (_, _, reason), count in sorted(self._by_reason.items(), key=lambda item: item[0][1:]):
            totals[reason] = totals.get(reason, 0) + count
        return totals

    @property
    def consumed(self) -> int:
        """Events whose outcome is final: the sum of the outcomes."""
        return self._consumed

    @property
    def skipped(self) -> int:
        """Records that were never fetched."""
        return sum(self.skips.values())

    @property
    def in_flight(self) -> int:
        """Events fetched that have no outcome yet and were not handed back, by the books."""
        return self.fetched - self.consumed - self.handed_back

    def merge(self, other: "Accounts") -> None:
        """Add the books of another process of the same pipeline.

        Raises:
            ValueError: they have other deadlines, or other lanes.
        """
        if other.lanes != self.lanes:
            msg = f"the lanes differ: {self.lanes} and {other.lanes}"
            raise ValueError(msg)
        for skip, count in other.skips.items():
            self.skips[skip] += count
        for name in _COUNTERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._by_code += other._by_code  # noqa: SLF001 - the same class
        self._consumed += other._consumed  # noqa: SLF001
        for key, count in other._by_reason.items():  # noqa: SLF001
            self._by_reason[key] = self._by_reason.get(key, 0) + count
        for outcome, count in other.traces_suppressed.items():
            self.suppressed(outcome, count)
        for variant, (size, busy_ns) in other.variants.items():
            self.run(variant, size, busy_ns)
        for (variant, verdict), count in other.verdicts.items():
            self.judged(variant, verdict, count)
        self._merge_latencies(other)
        self.rollout.merge(other.rollout)
        for reason, count in other.batches.items():
            self.batches[reason] += count
        self.batch_sizes = [a + b for a, b in zip(self.batch_sizes, other.batch_sizes, strict=True)]

    def _merge_latencies(self, other: "Accounts") -> None:
        self.e2e.merge(other.e2e)
        for mine, its in zip(self.e2e_by_lane, other.e2e_by_lane, strict=True):
            mine.merge(its)
        self.own.merge(other.own)
        for stage, histogram in self.stages.items():
            histogram.merge(other.stages[stage])
        for name, exemplars in self.exemplars.items():
            exemplars.merge(other.exemplars[name])
        self.tail.merge(other.tail)
        self.gc_pauses.merge(other.gc_pauses)

    def check(self, *, in_flight: int = 0) -> None:
        """Hold the books against what the pipeline really has in hand.

        Args:
            in_flight: events in its queue, in its executor and with its sink.

        Raises:
            InvariantError: fetched is not consumed + handed_back + in_flight.
        """
        if self.in_flight != in_flight:
            msg = (
                f"the books do not add up: fetched {self.fetched} is not consumed {self.consumed}"
                f" + handed back {self.handed_back} + in flight {in_flight}"
            )
            raise InvariantError(msg)

    def summary(self, duration_s: float, cpu_s: float) -> Summary:
        """The account of a run, as ``--json`` prints it.

        Latencies are in ms; ``latency_ms``, ``own_ms`` and a stage are ``{}`` where nothing was measured.
        """
        consumed = self.consumed
        summary: Summary = {
            "pipeline": self.pipeline,
            "consumed": consumed,
            "duration_s": round(duration_s, 3),
            "throughput_per_s": round(consumed / duration_s, 1) if duration_s > 0 else 0.0,
            "cpu_s": round(cpu_s, 3),
            "outcomes": {outcome.word: n for outcome, n in self.outcomes.items()},
            "skipped": self.skipped,
            "handed_back": self.handed_back,
            "restored": self.restored,
            "emitted": self.emitted,
            "batches": sum(self.batches.values()),
            "reasons": self.reasons,
            "latency_ms": latency_ms(self.e2e),
            "stages_ms": {name: stage_ms(stage) for name, stage in self.stages.items()},
            "own_ms": latency_ms(self.own),
        }
        if (tail := self.slowest()) is not None:
            summary["tail"] = tail.as_dict()
        if len(self.lanes) > 1:
            summary["lanes"] = {
                lane: {outcome.word: n for outcome, n in outcomes.items()}
                for lane, outcomes in self.lane_outcomes.items()
            }
        return summary
