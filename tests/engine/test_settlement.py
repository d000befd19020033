"""The books are written when an outcome is final, and once."""

from typing import Any

import numpy as np
import pytest

from streamproc.core import EventBatch, InvariantError, Outcome, OutRecords, Reason, TopicPartition
from streamproc.engine import PartitionTable, Settlement
from streamproc.engine.settled import Decided, Settled
from streamproc.scheduling import Batching, LatencyModel, Scheduler, SendLatency, Variant
from streamproc.telemetry import Accounts
from tests.engine.test_pending import events

T0 = TopicPartition("ticks", 0)


class Books:
    def __init__(self) -> None:
        self.accounts = Accounts(pipeline="p")
        self.partitions = PartitionTable()
        self.partitions.assign({T0: 100})
        partition = self.partitions.find(T0)
        assert partition is not None
        self.partition = partition
        partition.tracker.fetched(np.array([100, 101, 104]), 110)
        self.accounts.fetched = 3
        self.scheduler = Scheduler(
            batching=Batching(), shed=(), ordering="none", slots=1,
            variants=[Variant("full", 1.0, LatencyModel([1], [1], size_max=1))],
            send=SendLatency(ceiling_ns=100, first_ns=1),
        )  # fmt: skip
        self.settlement = Settlement(self.accounts, self.partitions, self.scheduler)
        self.told: list[tuple[Any, ...]] = []
        self.settlement.witness = lambda source, offset, row, outcome, reason, ns: self.told.append(
            (source, offset.tolist(), outcome.word, reason, ns)
        )

    def decided(self, outcome: Outcome = Outcome.ON_TIME) -> Settled:
        batch: EventBatch = events([10, 20, 30])  # numbers and deadlines
        return Settled(
            self.partition.index, np.arange(3), outcome, decided=Decided(batch, 3, 5, 6, "out")
        )

    def send(self, settled: Settled) -> int:
        return self.settlement.send(OutRecords("out", T0, [], []), settled).ticket


def test_an_outcome_is_final_at_its_acknowledgement() -> None:
    books = Books()
    ticket = books.send(books.decided())
    assert (books.accounts.consumed, books.partition.tracker.position) == (0, 100)
    books.settlement.acknowledged(ticket, 20)
    assert books.accounts.outcomes[Outcome.ON_TIME] == 2
    assert books.accounts.outcomes[Outcome.LATE] == 1
    assert books.accounts.acked_late == 1
    assert books.partition.tracker.position == 110
    assert books.told == [(T0, [100], "late", "", 20), (T0, [101, 104], "on_time", "", 20)]
    assert books.scheduler.send_ns == 15
    with pytest.raises(InvariantError, match=f"ticket {ticket} is not open"):
        books.settlement.acknowledged(ticket, 20)


def test_a_late_one_stays_late_and_is_not_counted_as_acknowledged_late() -> None:
    books = Books()
    books.settlement.acknowledged(books.send(books.decided(Outcome.LATE)), 1000)
    assert books.accounts.outcomes[Outcome.LATE] == 3
    assert books.accounts.acked_late == 0


def test_what_is_not_sent_teaches_nothing_of_the_broker() -> None:
    books = Books()
    books.settlement.settle(books.decided(Outcome.LATE), 5)
    assert books.accounts.outcomes[Outcome.LATE] == 3
    assert books.scheduler.send_ns == 1


def test_a_reason_is_kept() -> None:
    books = Books()
    settled = Settled(books.partition.index, np.array([1]), Outcome.SHED, Reason.EXPIRED)
    books.settlement.settle(settled, 7)
    assert books.accounts.reasons == {"expired": 1}
    assert books.told == [(T0, [101], "shed", "expired", 7)]


def test_after_a_release_nothing_is_written() -> None:
    books = Books()
    ticket = books.send(books.decided())
    books.partitions.release([T0])
    books.partitions.assign({T0: 100})  # it comes back, as another
    books.settlement.acknowledged(ticket, 20)
    assert (books.accounts.consumed, books.told) == (0, [])
    assert books.partitions.positions_to_commit() == {}
