"""The end of the way: outputs become decisions, and events that are not decided become letters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from streamproc.codecs import DecisionEncoder, Outputs
from streamproc.core import (
    BoolArray,
    Clock,
    Columns,
    EventBatch,
    Headers,
    Int64Array,
    Outcome,
    OutRecords,
    Reason,
    TopicPartition,
    all_true,
    any_true,
)
from streamproc.engine.decide import Decider
from streamproc.engine.decision_headers import DecisionHeaders, header_bytes, traceparents
from streamproc.engine.destinations import RECORD_BYTES, Destinations
from streamproc.engine.effects import Effect
from streamproc.engine.intake import finite_rows
from streamproc.engine.isolate import Span, cut, isolate, text_of
from streamproc.engine.lanes import lane_of
from streamproc.engine.letters import OUTCOME_HEADER, Originals, letters
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.engine.passages import passage_of_events
from streamproc.engine.rescue import reason_of
from streamproc.engine.settled import Decided, Settled
from streamproc.engine.settlement import Settlement
from streamproc.scheduling import Scheduler
from streamproc.telemetry import (
    BatchRun,
    Passage,
    Tracer,
)

_OUTCOME_HEADERS: dict[Outcome, Headers] = {
    outcome: ((OUTCOME_HEADER, outcome.word.encode()),) for outcome in Outcome
}


class Ran(NamedTuple):
    """A run whose turn has come.

    Attributes:
        started_ns: when it began.
        ended_ns: when it had ended and its turn had come.
        variant: what ran.
        encoders: of decisions, by variant.
        run: the batch.
        degraded: whether it is cheaper than what should have run.
        outcome: what its answers in time are; None for what ``degraded`` says.
    """

    started_ns: int
    ended_ns: int
    variant: int
    encoders: Sequence[DecisionEncoder]
    run: BatchRun | None = None
    degraded: bool = False
    outcome: Outcome | None = None


Decision: TypeAlias = Callable[[EventBatch, Outputs, Ran], None]
"""Is told of events of one partition and what was decided about them."""


class Concluder:
    """Makes what is sent.

    Args:
        clock: for the instant of settling what is not sent at all.
        decider: outputs to decisions.
        encoders: decisions to bytes, for each variant of the model; the best one's first.
        destinations: where things go.
        partitions: the owned partitions.
        scheduler: knows how long the way to the broker takes.
        settlement: keeps what was sent.
        tracer: says which traces go on with the decision; None where no traces are made.

    Attributes:
        watch: is told of what is decided; None tells nobody.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        decider: Decider,
        encoders: Sequence[DecisionEncoder],
        destinations: Destinations,
        partitions: PartitionTable,
        scheduler: Scheduler,
        settlement: Settlement,
        tracer: Tracer | None = None,
    ) -> None:
        self._clock = clock
        self._decider = decider
        self.encoders = encoders
        self._several = encoders[0].several
        self._to = destinations
        self._headers = DecisionHeaders(tracer, destinations.headers)
        self._partitions = partitions
        self._scheduler = scheduler
        self._settlement = settlement
        self._tracer = tracer
        self.watch: Decision | None = None

    def conclude(
        self,
        events: EventBatch,
        bounds: Sequence[int],
        outputs: Columns | Exception,
        ran: Ran,
    ) -> list[Effect]:
        """Decide about the events of a run.

        Args:
            events: the events.
            bounds: where each partition's part begins, and the end.
            outputs: the model's outputs, or what it raised.
            ran: when the run began and ended.
        """
        effects: list[Effect] = []
        if isinstance(outputs, Exception):
            for start, stop in pairwise(bounds):
                effects += self._unanswered(events.take(slice(start, stop, None)), outputs)
            return effects
        done, failed = self._decide(events, outputs)
        finite = finite_rows(outputs, len(events))
        for span, made in done:
            for start, stop in cut(span, bounds):
                part, decisions = events, made
                if (start, stop) != (0, len(events)):  # else they are all that there are
                    part = events.take(slice(start, stop, None))
                    decisions = made.take(slice(start - span.start, stop - span.start, None))
                good = None if finite is None else finite[start:stop]
                if good is not None and not all_true(good):
                    bad = part.take(np.flatnonzero(~good))
                    effects += self._dead(
                        bad, Reason.NOT_FINITE, "the model's output holds a NaN or an infinity"
                    )
                    fine = np.flatnonzero(good)
                    part, decisions = part.take(fine), decisions.take(fine)
                effects += self._publish(part, decisions, ran)
        for span, error in failed:
            for start, stop in cut(span, bounds):
                part = events.take(slice(start, stop, None))
                effects += self._dead(part, Reason.DECIDE_FAILED, text_of(error))
        return effects

    def letters(
        self,
        partition: int,
        records: Originals,
        ordinal: Int64Array,
        *,
        row: Int64Array | None,
        lane: Int64Array | int,
        outcome: Outcome,
        reason: Reason | str,
        passage: Callable[[TopicPartition], Passage],
    ) -> list[Effect]:
        """What is sent for events of one partition that are not decided.

        Args:
            partition: the partition's index.
            records: the records that they came in.
            ordinal: int64 [n], their records' ordinals, repeated for several of one record.
            row: int64 [n], their rows; None where each record is one event.
            lane: int64 [n], their lanes, or one number where all are of one.
            outcome: ``SHED`` or ``DEAD_LETTER``; nothing is sent for others.
            reason: why.
            passage: tells how they came through.
        """
        topics = {Outcome.SHED: self._to.shed, Outcome.DEAD_LETTER: self._to.dead_letters}
        topic = topics.get(outcome)
        owner = self._partitions.taking(partition)
        if owner is None:
            return []  # given up since: what was fetched of it is handed back
        settled = Settled(partition, ordinal, outcome, reason, lane=lane, row=row, arm=records.arm)
        if self._tracer is not None or self._settlement.tap is not None:
            way = replace(passage(owner.source), outcome=outcome, reason=str(reason), topic=topic)
            settled = replace(settled, passage=way)
        if topic is None:
            self._settlement.conclude(settled, self._clock.now_ns())
            return []
        made = letters(
            topic,
            owner.source,
            records,
            outcome=outcome,
            reason=reason,
            bytes_max=self._to.bytes_max,
            redact=self._to.redact,
        )
        return [self._settlement.send(made, settled)]

    def _unanswered(self, events: EventBatch, error: Exception) -> list[Effect]:
        """What the model did not answer: it is shed where the batch was stopped, else the model is at fault."""
        reason, detail = reason_of(error)
        if reason != Reason.STOPPED:
            return self._dead(events, reason, detail)
        return self.letters(
            int(events.partition[0]),
            Originals.of(events, detail),
            events.ordinal,
            row=events.row,
            lane=lane_of(events),
            outcome=Outcome.SHED,
            reason=Reason.STOPPED,
            passage=partial(passage_of_events, events),
        )

    def _dead(self, events: EventBatch, reason: Reason | str, detail: str) -> list[Effect]:
        if not len(events):
            return []
        return self.letters(
            int(events.partition[0]),
            Originals.of(events, detail),
            events.ordinal,
            row=events.row,
            lane=lane_of(events),
            outcome=Outcome.DEAD_LETTER,
            reason=reason,
            passage=partial(passage_of_events, events),
        )

    def _decide(
        self, events: EventBatch, outputs: Columns
    ) -> tuple[list[tuple[Span, Outputs]], list[tuple[Span, Exception]]]:
        """The decisions, and the events on which the decider fails; see ``isolate``."""
        decide = self._decider.decide
        whole = Span(0, len(events))
        if any(array.ndim == 0 or len(array) != len(events) for array in outputs.values()):
            # Rows and events do not match one by one: a part of them would get others' outputs.
            try:
                return [(whole, decide(events, outputs))], []
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything
                return [], [(whole, error)]
        return isolate(
            lambda span: (
                decide(events, outputs)
                if span == whole
                else decide(
                    events.take(slice(span.start, span.stop, None)),
                    {name: array[span.start : span.stop] for name, array in outputs.items()},
                )
            ),
            len(events),
        )

    def _publish(self, events: EventBatch, decisions: Outputs, ran: Ran) -> list[Effect]:
        """Send the decisions about events of one partition, each said to be what it will be."""
        if not len(events):
            return []
        owner = self._partitions.taking(int(events.partition[0]))
        if owner is None:
            return []  # given up since: another process decides about them
        late = events.deadline_ns < ran.ended_ns + self._scheduler.send_ns
        if self.watch is not None:
            self.watch(events, decisions, ran)
        good = Outcome.DEGRADED if ran.degraded else Outcome.ON_TIME
        good = good if ran.outcome is None else ran.outcome
        if not any_true(late):
            return self._send(owner, events, decisions, good, ran)
        # In the order of the events: those of one key may be late and in time by turns.
        turns = np.flatnonzero(late[1:] != late[:-1]) + 1
        effects: list[Effect] = []
        for start, stop in pairwise([0, *turns.tolist(), len(events)]):
            outcome = Outcome.LATE if late[start] else good
            rows = slice(start, stop, None)
            effects += self._send(owner, events.take(rows), decisions.take(rows), outcome, ran)
        return effects

    def _send(
        self, owner: Partition, events: EventBatch, decisions: Outputs, outcome: Outcome, ran: Ran
    ) -> list[Effect]:
        if outcome is Outcome.LATE and not self._to.late:
            # Nothing is sent, so there is no acknowledgement to measure the latency to.
            start_ns, end_ns = ran.started_ns, ran.ended_ns
            decided = Decided(events, start_ns, end_ns, end_ns, None, None, ran.variant, ran.run)
            self._settlement.conclude(_settled(owner, events, outcome, decided), ran.ended_ns)
            return []
        headers, traced = self._headers.of(owner.source, events)
        values = ran.encoders[ran.variant].encode(
            source=owner.source,
            outcome=outcome,
            events=events,
            decided_ns=ran.ended_ns,
            outputs=decisions,
            traceparent=traceparents(headers) if self._several else {},
        )
        keys = [None] * len(values) if self._several else events.key.tolist()
        if self._several:
            headers = {}
        # The key stands in the value too, so a record is at most twice its value and its headers.
        if (
            2 * max(map(len, values))
            + max(map(header_bytes, headers.values()), default=0)
            + RECORD_BYTES
            > self._to.bytes_max
        ):
            large = self._large(keys, values, headers)
            if large.any():
                return self._too_large(owner, events, decisions, large, outcome, ran)
        records = OutRecords(
            self._to.decisions,
            owner.source,
            keys,
            list(values),
            _OUTCOME_HEADERS[outcome],
            headers,
            rekeyed=self._to.rekeyed and not self._several,
        )
        handed_ns = self._clock.now_ns()
        to, variant = self._to.decisions, ran.variant
        decided = Decided(
            events, ran.started_ns, ran.ended_ns, handed_ns, to, traced, variant, ran.run
        )
        return [self._settlement.send(records, _settled(owner, events, outcome, decided))]

    def _large(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes],
        headers: Mapping[int, Headers],
    ) -> BoolArray:
        """Which records cannot be sent (bool [n])."""
        room = self._to.bytes_max - RECORD_BYTES
        return np.array(
            [
                len(value) + len(key or b"") + header_bytes(headers.get(row, ())) > room
                for row, (key, value) in enumerate(zip(keys, values, strict=True))
            ],
            np.bool_,
        )

    def _too_large(
        self,
        owner: Partition,
        events: EventBatch,
        decisions: Outputs,
        large: BoolArray,
        outcome: Outcome,
        ran: Ran,
    ) -> list[Effect]:
        """Make dead letters of the decisions that cannot be sent, and send the others."""
        if self._several and len(events) > 1:
            middle = len(events) // 2
            effects: list[Effect] = []
            for rows in (slice(None, middle, None), slice(middle, None, None)):
                effects += self._send(owner, events.take(rows), decisions.take(rows), outcome, ran)
            return effects
        detail = f"the decision has more than {self._to.bytes_max} bytes"
        effects = self._dead(events.take(np.flatnonzero(large)), Reason.TOO_LARGE, detail)
        if not large.all():
            fitting = np.flatnonzero(~large)
            effects += self._send(
                owner, events.take(fitting), decisions.take(fitting), outcome, ran
            )
        return effects


def _settled(owner: Partition, events: EventBatch, outcome: Outcome, decided: Decided) -> Settled:
    return Settled(
        owner.index,
        events.ordinal,
        outcome,
        lane=lane_of(events),
        row=events.row,
        decided=decided,
        arm=events.arm,
    )
