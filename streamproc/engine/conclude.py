"""The end of the way: outputs become decisions, and events that are not decided become letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from streamproc.codecs import DecisionEncoder
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
)
from streamproc.engine.decide import Decider
from streamproc.engine.effects import Effect
from streamproc.engine.intake import finite_rows
from streamproc.engine.isolate import Span, isolate, text_of
from streamproc.engine.letters import OUTCOME_HEADER, Originals, letters
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.engine.settlement import Settled, Settlement
from streamproc.scheduling import Scheduler

RECORD_BYTES = 256
"""More than a record's own framing, its batch's, and our header take (61 + 21 + 40 bytes)."""
_TRACE_HEADERS = frozenset(("traceparent", "tracestate"))


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where things go.

    Attributes:
        decisions: the topic of decisions.
        dead_letters: the topic of dead letters; None drops them.
        shed: the topic of shed events; None drops them.
        late: False drops the decisions that come too late.
        rekeyed: True where an event's key is not its record's.
        bytes_max: the largest record that may be sent.
    """

    decisions: str
    dead_letters: str | None
    shed: str | None
    late: bool
    rekeyed: bool
    bytes_max: int


class Concluder:
    """Makes what is sent.

    Args:
        clock: for the instant of settling what is not sent at all.
        decider: outputs to decisions.
        encoder: decisions to bytes.
        destinations: where things go.
        partitions: the owned partitions.
        scheduler: knows how long the way to the broker takes.
        settlement: keeps what was sent.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        decider: Decider,
        encoder: DecisionEncoder,
        destinations: Destinations,
        partitions: PartitionTable,
        scheduler: Scheduler,
        settlement: Settlement,
    ) -> None:
        self._clock = clock
        self._decider = decider
        self._encoder = encoder
        self._to = destinations
        self._partitions = partitions
        self._scheduler = scheduler
        self._settlement = settlement

    def conclude(
        self,
        events: EventBatch,
        bounds: Sequence[int],
        outputs: Columns | Exception,
        decided_ns: int,
    ) -> list[Effect]:
        """Decide about the events of a run.

        Args:
            events: the events.
            bounds: where each partition's part begins, and the end.
            outputs: the model's outputs, or what it raised.
            decided_ns: the instant of the decision.
        """
        effects: list[Effect] = []
        if isinstance(outputs, Exception):
            for start, stop in pairwise(bounds):
                part = events.take(slice(start, stop, None))
                effects += self._dead(part, Reason.MODEL_FAILED, text_of(outputs))
            return effects
        done, failed = self._decide(events, outputs)
        finite = finite_rows(outputs, len(events))
        for span, made in done:
            for start, stop in _parts(span, bounds):
                part = events.take(slice(start, stop, None))
                decisions = made[start - span.start : stop - span.start]
                good = None if finite is None else finite[start:stop]
                if good is not None and not good.all():
                    bad = part.take(np.flatnonzero(~good))
                    effects += self._dead(
                        bad, Reason.NOT_FINITE, "the model's output holds a NaN or an infinity"
                    )
                    part = part.take(np.flatnonzero(good))
                    decisions = [
                        d for d, keep in zip(decisions, good.tolist(), strict=True) if keep
                    ]
                effects += self._publish(part, decisions, decided_ns)
        for span, error in failed:
            for start, stop in _parts(span, bounds):
                part = events.take(slice(start, stop, None))
                effects += self._dead(part, Reason.DECIDE_FAILED, text_of(error))
        return effects

    def letters(
        self,
        partition: int,
        records: Originals,
        ordinal: Int64Array,
        *,
        outcome: Outcome,
        reason: Reason | str,
        details: Sequence[str],
    ) -> list[Effect]:
        """What is sent for events of one partition that are not decided.

        Args:
            partition: the partition's index.
            records: what came in.
            ordinal: int64 [n], the records' ordinals.
            outcome: ``SHED`` or ``DEAD_LETTER``.
            reason: why.
            details: for each, what was wrong in words; empty for none.
        """
        settled = Settled(partition, ordinal, outcome, reason)
        topic = self._to.shed if outcome is Outcome.SHED else self._to.dead_letters
        owner = self._partitions.at(partition)
        if topic is None or owner is None:
            self._settlement.settle(settled, self._clock.now_ns())
            return []
        made = letters(
            topic,
            owner.source,
            records,
            outcome=outcome,
            reason=reason,
            details=details,
            bytes_max=self._to.bytes_max,
        )
        return [self._settlement.send(made, settled)]

    def _dead(self, events: EventBatch, reason: Reason, detail: str) -> list[Effect]:
        if not len(events):
            return []
        return self.letters(
            int(events.partition[0]),
            Originals.of(events),
            events.ordinal,
            outcome=Outcome.DEAD_LETTER,
            reason=reason,
            details=[detail] * len(events),
        )

    def _decide(
        self, events: EventBatch, outputs: Columns
    ) -> tuple[list[tuple[Span, Sequence[bytes]]], list[tuple[Span, Exception]]]:
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

    def _publish(
        self, events: EventBatch, decisions: Sequence[bytes], decided_ns: int
    ) -> list[Effect]:
        """Send the decisions about events of one partition, each said to be what it will be."""
        if not len(events):
            return []
        owner = self._partitions.at(int(events.partition[0]))
        if owner is None:
            return []  # given up since: another process decides about them
        late = events.deadline_ns < decided_ns + self._scheduler.send_ns
        if not late.any():
            return self._send(owner, events, decisions, Outcome.ON_TIME, decided_ns)
        # In the order of the events: those of one key may be late and in time by turns.
        turns = np.flatnonzero(late[1:] != late[:-1]) + 1
        effects: list[Effect] = []
        for start, stop in pairwise([0, *turns.tolist(), len(events)]):
            outcome = Outcome.LATE if late[start] else Outcome.ON_TIME
            part = events.take(slice(start, stop, None))
            effects += self._send(owner, part, decisions[start:stop], outcome, decided_ns)
        return effects

    def _send(
        self,
        owner: Partition,
        events: EventBatch,
        decisions: Sequence[bytes],
        outcome: Outcome,
        decided_ns: int,
    ) -> list[Effect]:
        if outcome is Outcome.LATE and not self._to.late:
            # Nothing is sent, so there is no acknowledgement to measure the latency to.
            self._settlement.settle(Settled(owner.index, events.ordinal, outcome), decided_ns)
            return []
        settled = Settled(owner.index, events.ordinal, outcome, decided=(events, decided_ns))
        values = self._encoder.encode(
            prefix=owner.id_prefix,
            outcome=outcome,
            offset=events.offset,
            key=events.key,
            event_time_ns=events.event_time_ns,
            deadline_ns=events.deadline_ns,
            decided_ns=decided_ns,
            output=decisions,
        )
        traces = _trace_headers(events)
        # The key stands in the value too, so a record is at most twice its value and its headers.
        if 2 * max(map(len, values)) + _bytes_of(traces) + RECORD_BYTES > self._to.bytes_max:
            large = self._large(events, values, traces)
            if large.any():
                return self._too_large(owner, events, decisions, large, outcome, decided_ns)
        records = OutRecords(
            self._to.decisions,
            owner.source,
            events.key.tolist(),
            list(values),
            ((OUTCOME_HEADER, outcome.word.encode()),),
            traces,
            rekeyed=self._to.rekeyed,
        )
        return [self._settlement.send(records, settled)]

    def _large(
        self, events: EventBatch, values: Sequence[bytes], traces: Mapping[int, Headers]
    ) -> BoolArray:
        """Which decisions make records that cannot be sent (bool [n])."""
        keys = events.key.tolist()
        room = self._to.bytes_max - RECORD_BYTES
        return np.array(
            [
                len(value) + len(key or b"") + _header_bytes(traces.get(row, ())) > room
                for row, (key, value) in enumerate(zip(keys, values, strict=True))
            ],
            np.bool_,
        )

    def _too_large(
        self,
        owner: Partition,
        events: EventBatch,
        decisions: Sequence[bytes],
        large: BoolArray,
        outcome: Outcome,
        decided_ns: int,
    ) -> list[Effect]:
        """Make dead letters of the decisions that cannot be sent, and send the others."""
        detail = f"the decision has more than {self._to.bytes_max} bytes"
        effects = self._dead(events.take(np.flatnonzero(large)), Reason.TOO_LARGE, detail)
        if not large.all():
            fitting = np.flatnonzero(~large)
            chosen = [decisions[row] for row in fitting.tolist()]
            effects += self._send(owner, events.take(fitting), chosen, outcome, decided_ns)
        return effects


def _header_bytes(headers: Headers) -> int:
    return sum(len(name) + len(value or b"") + RECORD_BYTES // 8 for name, value in headers)


def _bytes_of(traces: Mapping[int, Headers]) -> int:
    """The most that any row's trace headers take."""
    return max(map(_header_bytes, traces.values()), default=0)


def _parts(span: Span, bounds: Sequence[int]) -> list[Span]:
    """The span cut at the bounds that lie in it."""
    cuts = [span.start, *(b for b in bounds if span.start < b < span.stop), span.stop]
    return [Span(start, stop) for start, stop in pairwise(cuts)]


def _trace_headers(events: EventBatch) -> dict[int, Headers]:
    """The trace contexts of the events that carry one, by row."""
    if not events.headers:
        return {}
    found: dict[int, Headers] = {}
    for row, number in enumerate(events.number.tolist()):
        own = [h for h in events.headers.get(number, ()) if h[0] in _TRACE_HEADERS]
        if own:
            found[row] = own
    return found
