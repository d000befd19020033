"""When an outcome is final: at the broker's acknowledgement. The books are written here."""

from dataclasses import dataclass

import numpy as np

from streamproc.core import EventBatch, Int64Array, InvariantError, Outcome, OutRecords, Reason
from streamproc.engine.effects import Send
from streamproc.engine.partitions import PartitionTable
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


class Settlement:
    """Keeps what was sent until it is acknowledged, then writes the books.

    Args:
        accounts: the books.
        partitions: whose records are to be marked done.
        scheduler: learns how long the way to the broker takes.
    """

    def __init__(
        self, accounts: Accounts, partitions: PartitionTable, scheduler: Scheduler
    ) -> None:
        self._accounts = accounts
        self._partitions = partitions
        self._scheduler = scheduler
        self._open: dict[int, Settled] = {}
        self._tickets_total = 0

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
        self.settle(settled, acknowledged_ns)

    def settle(self, settled: Settled, final_ns: int) -> None:
        """Write the outcome, unless the partition was given up since: then it is handed back already."""
        partition = self._partitions.at(settled.partition)
        if settled.decided is not None:
            self._scheduler.acknowledged(settled.decided[1], final_ns)
        if partition is None:
            return
        partition.tracker.done(settled.ordinal)
        count = len(settled.ordinal)
        if settled.decided is None:
            self._accounts.settle(settled.outcome, count, settled.reason)
            return
        events, decided_ns = settled.decided
        missed = 0
        if settled.outcome in (Outcome.ON_TIME, Outcome.DEGRADED):
            missed = int(np.count_nonzero(events.deadline_ns < final_ns))
        if missed:
            self._accounts.acked_late += missed
            self._accounts.settle(Outcome.LATE, missed)
        if count > missed:
            self._accounts.settle(settled.outcome, count - missed, settled.reason)
        self._accounts.latency(final_ns - events.event_time_ns)
        self._accounts.stage_constant("emit", final_ns - decided_ns, count)
