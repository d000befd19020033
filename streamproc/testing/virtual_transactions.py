"""``delivery: exactly_once`` on a virtual clock: what ``runtime.Transactions`` does, by an agenda."""

from collections.abc import Callable, Collection
from typing import Protocol

from streamproc.core import NS_PER_MS, AbortedError, TopicPartition
from streamproc.engine import Cut, Engine, OpenTransaction
from streamproc.testing.source import MemorySource
from streamproc.testing.transactional_sink import MemoryTransactionalSink

_AGAIN_NS = NS_PER_MS
"""Until a commit is tried again that has to wait for what lies before it."""


class Agenda(Protocol):
    """Does things at instants."""

    @property
    def now_ns(self) -> int:
        """The present instant."""
        ...

    def call(self, action: Callable[[], None], *, at_ns: int | None = None) -> None:
        """Do something at an instant; now by default."""
        ...


class VirtualTransactions:
    """Begins a commit as soon as there is an outcome and the last began an interval ago.

    Args:
        engine: whose partitions are given up when a transaction is aborted.
        transaction: what is to be committed.
        sink: publishes.
        source: goes back to what is stored.
        agenda: of the test.
        interval_ns: the least time from the beginning of a commit to the next one's.
        commit_ns: how long a commit takes.
        hand_over: carries out what follows from what has happened in the engine.
        handed_back: is told when partitions were given up.
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        engine: Engine,
        transaction: OpenTransaction,
        sink: MemoryTransactionalSink,
        source: MemorySource,
        agenda: Agenda,
        interval_ns: int,
        commit_ns: int,
        hand_over: Callable[[], None],
        handed_back: Callable[[Collection[TopicPartition]], None],
    ) -> None:
        self._engine = engine
        self._transaction = transaction
        self._sink = sink
        self._source = source
        self._agenda = agenda
        self._interval_ns = interval_ns
        self._commit_ns = commit_ns
        self._hand_over = hand_over
        self._handed_back = handed_back
        self._began_ns = agenda.now_ns - interval_ns
        self._not_before_ns = agenda.now_ns
        self._due = False
        self._cut: Cut | None = None

    def look(self) -> None:
        """After a turn of the engine: see whether a commit is to begin."""
        if self._transaction.has_outcomes and not self._due and self._cut is None:
            self._due = True
            at_ns = max(self._not_before_ns, self._began_ns + self._interval_ns)
            self._agenda.call(self._begin, at_ns=at_ns)

    def take_back(self, leaving: Collection[TopicPartition] = ()) -> None:
        """Abort what is open, give all up, and read again what stays."""
        if self._cut is not None or self._transaction.has_outcomes:
            self._sink.abort()
        self._rewind(leaving)

    def store_positions(self) -> None:
        """Store positions that moved over what holds no events, where nothing is under way."""
        if self._cut is None and not self._transaction.has_outcomes:
            self._engine.moved(self._source.positions_now())
            self._start()
            self._end()

    def _begin(self) -> None:
        self._due = False
        self._engine.moved(self._source.positions_now())
        if self._transaction.has_outcomes and self._cut is None and self._start():
            self._agenda.call(self._end, at_ns=self._agenda.now_ns + self._commit_ns)

    def _start(self) -> bool:
        self._hand_over()
        progress = self._transaction.progress()
        if not progress or not self._sink.can_hold(progress):
            self._not_before_ns = self._agenda.now_ns + _AGAIN_NS
            return False
        self._began_ns = self._agenda.now_ns
        if (changelog := self._engine.changelog) is not None:
            changelog.go_on(self._agenda.now_ns)
            for records in changelog.records():
                self._sink.send(records, _nobody_waits)
        for records in self._transaction.ledger(progress):
            self._sink.send(records, _nobody_waits)
        self._cut = self._transaction.cut(progress)
        self._sink.begin_commit(progress)
        return True

    def _end(self) -> None:
        cut = self._cut
        if cut is None:
            return  # taken back since
        try:
            committed_ns = self._sink.end_commit()
        except AbortedError:
            self._rewind(())
            return
        self._cut = None
        self._transaction.committed(cut, committed_ns)
        self.look()

    def _rewind(self, leaving: Collection[TopicPartition]) -> None:
        self._cut = None
        owned = self._engine.owned()
        self._engine.take_back()
        self._handed_back(owned)
        staying = [source for source in owned if source not in leaving]
        self._source.drop([source for source in owned if source in leaving])
        self._engine.assigned(self._source.acquire(staying), self._source.done_beyond(staying))


def _nobody_waits(_: int | Exception) -> None:
    """The ledger is no outcome of its own."""
