"""The order of several topics: their events go on in the order in which they happened."""

from collections.abc import Collection

from streamproc.core import TopicPartition
from streamproc.engine.effects import Effect
from streamproc.engine.entrance import Entrance
from streamproc.engine.event_order import EventOrder
from streamproc.engine.parts import EngineParts
from streamproc.engine.undecided import Undecided


class Reordering:
    """Lets events wait for those that happened before them, and offers them to the scheduler then.

    Args:
        parts: what the engine is made of.
        order: where events wait.
        entrance: takes those whose turn has come.
        undecided: concludes those that are not decided.
    """

    def __init__(
        self, parts: EngineParts, order: EventOrder, entrance: Entrance, undecided: Undecided
    ) -> None:
        self._clock = parts.clock
        self._intake = parts.intake
        self._partitions = parts.partitions
        self._accounts = parts.accounts
        self._order = order
        self._entrance = entrance
        self._undecided = undecided

    @property
    def waiting_total(self) -> int:
        """Events that wait for those that happened before them."""
        return self._order.waiting_total

    @property
    def forced_total(self) -> int:
        """Events that went on early because too many waited."""
        return self._order.forced_total

    def assigned(self, sources: Collection[TopicPartition]) -> None:
        """These partitions are ours from now on."""
        for partition in filter(None, map(self._partitions.find, sources)):
            self._order.assigned(partition.source, partition.index, self._clock.now_ns())

    def ahead(self, now_ns: int) -> Collection[TopicPartition]:
        """Partitions that need not be read on, because those that share their keys are behind them."""
        return self._order.ahead(now_ns)

    def at_ends(self, sources: Collection[TopicPartition]) -> None:
        """See ``Engine.at_ends``."""
        self._order.at_ends(sources, self._clock.now_ns())

    def release(self, now_ns: int, *, draining: bool) -> list[Effect]:
        """Let those events go on whose turn has come by an instant."""
        if draining:
            self.take_back()
        released = self._intake.released(now_ns)
        for source, part in released.events:
            partition = self._partitions.find(source)
            if partition is not None:
                numbered = part.renumbered(self._entrance.events_total)
                self._entrance.offer(source, numbered, partition, now_ns)
                self._accounts.stage("decode", now_ns - part.arrival_ns)
        effects: list[Effect] = []
        for end in released.undecided:
            effects += self._undecided.events(end.events, end.reason, end.outcome, end.detail)
        return effects

    def take_back(self, sources: Collection[TopicPartition] | None = None) -> None:
        """Hand back what waits for others to come, which will not come here; None for all."""
        for index, count in self._order.take_back(sources).items():
            partition = self._partitions.at(index)
            if partition is not None:
                partition.taken_back += count
                self._accounts.handed_back += count

    def wakes_by(self, wake_ns: int | None, now_ns: int) -> int | None:
        """When the engine is to be asked again, where it otherwise would be at ``wake_ns``."""
        due_ns = self._order.wake_ns()
        if due_ns is None:
            return wake_ns
        due_ns = max(due_ns, now_ns + 1)
        return due_ns if wake_ns is None else min(wake_ns, due_ns)
