"""When an outcome is final: at the broker's acknowledgement. The books are written here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from streamproc.core import (
    BoolArray,
    EventBatch,
    Int64Array,
    InvariantError,
    Outcome,
    OutRecords,
    Reason,
    TopicPartition,
)
from streamproc.engine.effects import Send
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.scheduling import Scheduler
from streamproc.telemetry import Accounts


@dataclass(frozen=True, slots=True)
class Settled:
    """Events of one partition that end alike, once they are acknowledged.

    Attributes:
        partition: the partition's index.
        ordinal: int64 [n], the records' ordinals.
        outcome: what becomes of them.
        reason: why.
        decided: the events and the instant of the decision; None where nothing was decided.
    """

    partition: int
    ordinal: Int64Array
    outcome: Outcome
    reason: Reason | str = Reason.NONE
    decided: tuple[EventBatch, int] | None = None


Witness: TypeAlias = Callable[[TopicPartition, Int64Array, Outcome, str, int], None]
"""Is told of final outcomes: the partition, the records' offsets (int64 [n]), what became of all of them, the
reason, and the instant (ns)."""


class Settlement:
    """Keeps what was sent until it is acknowledged, then writes the books.

    Args:
        accounts: the books.
        partitions: whose records are to be marked done.
        scheduler: learns how long the way to the broker takes.

    Attributes:
        witness: is told of every outcome that becomes final, event by event; None tells nobody.
    """

    def __init__(
        self, accounts: Accounts, partitions: PartitionTable, scheduler: Scheduler
    ) -> None:
        self._accounts = accounts
        self._partitions = partitions
        self._scheduler = scheduler
        self._open: dict[int, Settled] = {}
        self._tickets_total = 0
        self.witness: Witness | None = None

    def send(self, records: OutRecords, settled: Settled) -> Send:
        """The effect of sending the records; the outcome is final when they are acknowledged."""
        self._tickets_total += 1
        self._open[self._tickets_total] = settled
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
            self._scheduler.acknowledged(settled.decided[1], acknowledged_ns)
        self.settle(settled, acknowledged_ns)

    def settle(self, settled: Settled, final_ns: int) -> None:
        """Write the outcome, unless the partition was given up since: then it is handed back already."""
        partition = self._partitions.at(settled.partition)
        if partition is None:
            return
        partition.tracker.done(settled.ordinal)
        if self.witness is not None:
            self._testify(self.witness, partition, settled, final_ns)
        count = len(settled.ordinal)
        if settled.decided is None:
            self._accounts.settle(settled.outcome, count, settled.reason)
            return
        events, decided_ns = settled.decided
        missed = int(np.count_nonzero(_missed(settled, final_ns)))
        if missed:
            self._accounts.acked_late += missed
            self._accounts.settle(Outcome.LATE, missed)
        if count > missed:
            self._accounts.settle(settled.outcome, count - missed, settled.reason)
        self._accounts.latency(final_ns - events.event_time_ns)
        self._accounts.stage_constant("emit", final_ns - decided_ns, count)

    def _testify(
        self, witness: Witness, partition: Partition, settled: Settled, final_ns: int
    ) -> None:
        offset = partition.tracker.offsets(settled.ordinal)
        missed = _missed(settled, final_ns)
        for rows, outcome in ((missed, Outcome.LATE), (~missed, settled.outcome)):
            if rows.any():
                witness(partition.source, offset[rows], outcome, str(settled.reason), final_ns)


def _missed(settled: Settled, final_ns: int) -> BoolArray:
    """Which events were published in time and acknowledged too late (bool [n])."""
    if settled.decided is None or settled.outcome not in (Outcome.ON_TIME, Outcome.DEGRADED):
        return np.zeros(len(settled.ordinal), np.bool_)
    return settled.decided[0].deadline_ns < final_ns
