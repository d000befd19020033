"""When an outcome is final: at the broker's acknowledgement. The books are written here."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from streamproc.core import (
    BoolArray,
    Int64Array,
    InvariantError,
    Outcome,
    OutRecords,
    TopicPartition,
)
from streamproc.engine.effects import Send
from streamproc.engine.ledger import Ledger
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.engine.passages import passages
from streamproc.engine.settled import Decided, Settled
from streamproc.scheduling import Scheduler
from streamproc.telemetry import Accounts, Tracer

Witness: TypeAlias = Callable[
    [TopicPartition, Int64Array, Int64Array | None, Outcome, str, int], None
]
"""Is told of final outcomes: the partition, the events' offsets and rows (int64 [n]; no rows where a record is
one event), what became of all of them, the reason, and the instant (ns)."""


class Tap(Protocol):
    """Is told of all that is sent and of all outcomes, as it happens; must not block."""

    def sent(
        self, source: TopicPartition, offset: Int64Array, records: OutRecords, settled: Settled
    ) -> None:
        """Records are about to be sent.

        Args:
            source: the partition of their events.
            offset: int64 [n], of the events' records.
            records: what is sent.
            settled: what becomes of the events when that is acknowledged.
        """
        ...

    def ended(
        self,
        source: TopicPartition,
        offset: Int64Array,
        settled: Settled,
        missed: BoolArray,
        final_ns: int,
    ) -> None:
        """Outcomes are final.

        Args:
            source: the partition of the events.
            offset: int64 [n], of their records.
            settled: what became of them.
            missed: bool [n], those that were published in time and acknowledged too late.
            final_ns: when.
        """
        ...


class Settlement:
    """Keeps what was sent until it is acknowledged, then writes the books.

    Args:
        accounts: the books.
        partitions: whose records are to be marked done.
        scheduler: learns how long the way to the broker takes.
        tracer: makes traces of what ended; None makes none.
        transactional: True where nothing is final before its transaction's commit, not even what is not sent.
        ledger: notes what became of each record; None where nobody asks.

    Attributes:
        witness: is told of every outcome that becomes final, event by event; None tells nobody.
        uncommitted: whether any outcome was handed over since the last ``take_concluded``.
        tap: is told of what is sent and of outcomes, a batch at a time; None tells nobody.
        arms: is told of the outcomes of events that one of several models was to decide about: their arms (int64 [n]),
            what became of all of them, and when (ns); None tells nobody.
        took: is told how long these took that were decided: their arms, and ns from their event times (int64 [n]).
    """

    def __init__(
        self,
        accounts: Accounts,
        partitions: PartitionTable,
        scheduler: Scheduler,
        tracer: Tracer | None = None,
        *,
        transactional: bool = False,
        ledger: Ledger | None = None,
    ) -> None:
        self._accounts = accounts
        self._partitions = partitions
        self._scheduler = scheduler
        self._tracer = tracer
        self._open: dict[int, Settled] = {}
        self._tickets_total = 0
        self._transactional = transactional
        self._ledger = ledger
        self._concluded: list[Settled] = []
        """Outcomes without a record, until the commit."""
        self.witness: Witness | None = None
        self.uncommitted = False
        self.tap: Tap | None = None
        self.arms: Callable[[Int64Array, Outcome, int], None] | None = None
        self.took: Callable[[Int64Array, Int64Array], None] | None = None

    def send(self, records: OutRecords, settled: Settled) -> Send:
        """The effect of sending the records; the outcome is final when they are acknowledged."""
        self._tickets_total += 1
        self._open[self._tickets_total] = settled
        self._cover(settled)
        if settled.decided is not None:
            self._accounts.own.add(settled.decided.handed_ns - settled.decided.events.arrival_ns)
        if self.tap is not None and (owner := self._partitions.at(settled.partition)):
            offset = owner.tracker.offsets(settled.ordinal)
            self.tap.sent(owner.source, offset, records, settled)
        return Send(self._tickets_total, records)

    def acknowledged(self, ticket: int, acknowledged_ns: int) -> None:
        """The broker has what was sent.

        Raises:
            InvariantError: no such ticket is open.
        """
        settled = self._open.pop(ticket, None)
        if settled is None:
            msg = f"ticket {ticket} is not open: it was acknowledged twice or never sent"
            raise InvariantError(msg)
        if settled.decided is not None:
            self._scheduler.acknowledged(settled.decided.decided_ns, acknowledged_ns)
        self.settle(settled, acknowledged_ns)

    def conclude(self, settled: Settled, now_ns: int) -> None:
        """An outcome of which nothing is sent: it is final at once, or with the transaction."""
        self._cover(settled)
        if self._transactional:
            self._concluded.append(settled)
        else:
            self.settle(settled, now_ns)

    def take_concluded(self) -> list[Settled]:
        """The outcomes without a record since the last time; what was handed over is being committed."""
        taken, self._concluded = self._concluded, []
        self.uncommitted = False
        return taken

    def forget(self) -> None:
        """The transaction is aborted: nothing that was handed over will become final."""
        self._open.clear()
        if self._ledger is not None:
            self._ledger.forget()
        self.take_concluded()

    def settle(self, settled: Settled, final_ns: int) -> None:
        """Write the outcome, unless the partition was given up since: then it is handed back already."""
        partition = self._partitions.at(settled.partition)
        if partition is None:
            return
        partition.tracker.done(settled.ordinal, repeated=settled.row is not None)
        if self.witness is not None:
            self._testify(self.witness, partition, settled, final_ns)
        late = _missed(settled, final_ns)
        self._note(partition, settled, late)
        if self.tap is not None:
            offset = partition.tracker.offsets(settled.ordinal)
            self.tap.ended(partition.source, offset, settled, late, final_ns)
        if self._tracer is not None:
            for passage in passages(partition.source, settled, late, final_ns):
                self._tracer.ended(passage)
        if settled.arm is not None:
            self._tell_arms(settled, settled.arm, late, final_ns)
        count = len(settled.ordinal)
        if settled.decided is None:
            self._count(settled.outcome, settled.lane, count, settled.reason)
            return
        missed = int(np.count_nonzero(late))
        if missed:
            self._accounts.acked_late += missed
            self._count(Outcome.LATE, _among(settled.lane, late), missed)
        if count > missed:
            lane = _among(settled.lane, ~late) if missed else settled.lane
            self._count(settled.outcome, lane, count - missed, settled.reason)
        took_ns = final_ns - settled.decided.events.event_time_ns
        self._accounts.latency(took_ns, settled.lane)
        self._attribute(settled.decided, took_ns, final_ns)
        self._accounts.stage_constant("emit", final_ns - settled.decided.decided_ns, count)

    def _tell_arms(self, settled: Settled, arm: Int64Array, late: BoolArray, final_ns: int) -> None:
        if self.arms is not None:
            self.arms(arm[late], Outcome.LATE, final_ns)
            self.arms(arm[~late], settled.outcome, final_ns)
        if self.took is not None and settled.decided is not None:
            self.took(arm, final_ns - settled.decided.events.event_time_ns)

    def _attribute(self, decided: Decided, took_ns: Int64Array, final_ns: int) -> None:
        """Say where the time of the slowest of them went."""
        events = decided.events
        columns = (events.event_time_ns, events.arrival_ns, events.admitted_ns)
        instants = (*columns, decided.started_ns, decided.decided_ns, final_ns)
        self._accounts.tail.settled(took_ns, instants, self._accounts.e2e)

    def _cover(self, settled: Settled) -> None:
        partition = self._partitions.at(settled.partition) if self._transactional else None
        if partition is not None and partition.covered is not None:
            partition.covered.done(settled.ordinal, repeated=settled.row is not None)
            self.uncommitted = True
            if self._ledger is not None:
                self._ledger.note(partition, settled.ordinal, settled.outcome, settled.reason)

    def _note(self, partition: Partition, settled: Settled, late: BoolArray) -> None:
        """Tell the ledger; with transactions it was told before, for it is a part of them."""
        if self._ledger is None or self._transactional:
            return
        for rows, outcome in ((late, Outcome.LATE), (~late, settled.outcome)):
            if rows.any():
                self._ledger.note(partition, settled.ordinal[rows], outcome, settled.reason)

    def _count(
        self, outcome: Outcome, lane: Int64Array | int, count: int, reason: str = ""
    ) -> None:
        if isinstance(lane, int):
            self._accounts.settle(outcome, count, reason, lane=lane)
        else:
            self._accounts.settle_lanes(outcome, lane, reason)

    def _testify(
        self, witness: Witness, partition: Partition, settled: Settled, final_ns: int
    ) -> None:
        offset = partition.tracker.offsets(settled.ordinal)
        missed = _missed(settled, final_ns)
        for rows, outcome in ((missed, Outcome.LATE), (~missed, settled.outcome)):
            if rows.any():
                row = None if settled.row is None else settled.row[rows]
                witness(partition.source, offset[rows], row, outcome, str(settled.reason), final_ns)


def _among(lane: Int64Array | int, rows: BoolArray) -> Int64Array | int:
    return lane if isinstance(lane, int) else lane[rows]


def _missed(settled: Settled, final_ns: int) -> BoolArray:
    """Which events were published in time and acknowledged too late (bool [n])."""
    if settled.decided is None or settled.outcome not in (Outcome.ON_TIME, Outcome.DEGRADED):
        return np.zeros(len(settled.ordinal), np.bool_)
    return settled.decided.events.deadline_ns < final_ns
