"""One event of a key at a time: the next one waits for the model's answer to the one before.

A model that carries state from event to event needs the events of a key one after the other, whatever batches they are
in and however many executors there are. So the scheduler is offered, of each key, only the event whose turn it is.

Which event begins anew is settled when it comes in, in the order of the log: it depends on the events before it in its
partition alone, not on when anything ran.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import EventBatch, Int64Array
from streamproc.scheduling import Offered

_BEGINNING_NS = np.iinfo(np.int64).min // 2
NO_SLOT = -1


@dataclass(slots=True, eq=False)
class KeyLife:
    """A key of a partition.

    Attributes:
        partition: which one's.
        key: the key.
        newest_ns: when its newest event happened.
        admitted: which of all events that came in was its last; the key with the least was not seen for longest.
        slot: where its state lies; ``NO_SLOT`` where it has none.
        remembered: False once there was no room for it, or its time was up: its next event begins anew.
        gap: whether its next event begins anew because one before it was not answered.
        dropped: True once its partition was given up.
        under_way: the event whose turn it is.
        waiting: those behind it.
    """

    partition: int
    key: bytes | None
    newest_ns: int = _BEGINNING_NS
    admitted: int = 0
    slot: int = NO_SLOT
    remembered: bool = True
    gap: bool = False
    dropped: bool = False
    under_way: "Turn | None" = None
    waiting: "deque[Turn]" = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Turn:
    """An event that waits for its turn, or has it.

    Attributes:
        life: its key.
        anew: whether it begins with no state whatever came before.
        offered: what the scheduler is told of the batch that it came in; None for one that is only run again.
        row: its row there, or in ``events``.
        events: the batch of one that is only run again.
    """

    life: KeyLife
    anew: bool
    offered: Offered | None
    row: int
    events: EventBatch | None = None

    @property
    def number(self) -> int:
        """The event's number; there must be one."""
        return -1 if self.offered is None else int(self.offered.number[self.row])

    @property
    def deadline_ns(self) -> int:
        """When its decision must be with the broker; there must be such."""
        return 0 if self.offered is None else int(self.offered.deadline_ns[self.row])


@dataclass(slots=True)
class _PartitionKeys:
    """The keys of a partition, and its time: its newest event's."""

    index: int
    newest_ns: int = _BEGINNING_NS
    lives: dict[bytes | None, KeyLife] = field(default_factory=dict)
    remembered: "OrderedDict[bytes | None, KeyLife]" = field(default_factory=OrderedDict)
    """Those not seen for longest first."""


class KeyTurns:
    """Says whose turn it is.

    Args:
        keys_max: how many keys are remembered at once.
        ttl_ns: for how long a key is remembered that has no event, by its partition's time; None for ever.

    Attributes:
        evicted_total: keys that were forgotten because there was no room.
        expired_total: keys that were forgotten because their time was up.
        held: events that wait for another one of their key.
    """

    def __init__(self, *, keys_max: int, ttl_ns: int | None) -> None:
        self._keys_max = keys_max
        self._ttl_ns = ttl_ns
        self._partitions: dict[int, _PartitionKeys] = {}
        self._remembered = 0
        self._admitted = 0
        self._freed: list[int] = []
        self._queued: dict[KeyLife, None] = {}
        self.evicted_total = 0
        self.expired_total = 0
        self.held = 0

    def __len__(self) -> int:
        """How many keys are remembered."""
        return self._remembered

    def admit(
        self,
        events: EventBatch,
        said_ns: Int64Array,
        offered: Offered | None,
    ) -> list[Turn]:
        """Let events of one partition in, in the order of the log.

        Args:
            events: the events.
            said_ns: int64 [n], when they say that they happened.
            offered: what the scheduler is told of them; None where they are only run again.

        Returns:
            those whose turn it is.
        """
        index = int(events.partition[0])
        partition = self._partitions.setdefault(index, _PartitionKeys(index))
        again = events if offered is None else None
        ready: list[Turn] = []
        for row, (key, time_ns) in enumerate(
            zip(events.key.tolist(), said_ns.tolist(), strict=True)
        ):
            life, anew = self._seen(partition, key, time_ns)
            turn = Turn(life, anew, offered, row, again)
            if life.under_way is None:
                life.under_way = turn
                ready.append(turn)
            else:
                life.waiting.append(turn)
                self._queued[life] = None
                self.held += 1
        return ready

    def over(self, turn: Turn) -> Turn | None:
        """An event has been answered, or never will be; gives the next one of its key."""
        life = turn.life
        if life.waiting:
            self.held -= 1
            life.under_way = life.waiting.popleft()
            if not life.waiting:
                del self._queued[life]
            return life.under_way
        life.under_way = None
        if not life.remembered and not life.dropped:
            self._free(life)
            del self._partitions[life.partition].lives[life.key]
        return None

    def drop(self, partition: int) -> list[Turn]:
        """A partition is ours no longer; gives its events that still waited."""
        keys = self._partitions.pop(partition, None)
        if keys is None:
            return []
        self._remembered -= len(keys.remembered)
        waited: list[Turn] = []
        for life in keys.lives.values():
            life.dropped, life.remembered = True, False
            waited += life.waiting
            life.waiting.clear()
            self._queued.pop(life, None)
            self._free(life)
        self.held -= len(waited)
        return waited

    def forget_all(self) -> None:
        """Let each key begin anew with its next event: another model does not know what these states mean."""
        for keys in self._partitions.values():
            for life in keys.lives.values():
                life.gap = True

    def take_freed(self) -> list[int]:
        """Slots that belong to nobody any more."""
        freed, self._freed = self._freed, []
        return freed

    def waiting(self) -> Iterator[Turn]:
        """All events that wait for another one of their key."""
        for life in self._queued:
            yield from life.waiting

    def waited_for(self) -> Iterator[Turn]:
        """The events that others of their keys wait for."""
        for life in self._queued:
            if life.under_way is not None:
                yield life.under_way

    def _seen(
        self, partition: _PartitionKeys, key: bytes | None, time_ns: int
    ) -> tuple[KeyLife, bool]:
        """An event of a key came; gives the key, and whether it begins anew."""
        self._admitted += 1
        partition.newest_ns = max(partition.newest_ns, time_ns)
        if self._ttl_ns is not None:
            self._expire(partition, partition.newest_ns - self._ttl_ns)
        life = partition.lives.get(key)
        anew = life is not None and not life.remembered
        if life is None:
            life = partition.lives[key] = KeyLife(partition.index, key)
        elif self._ttl_ns is not None and life.newest_ns < partition.newest_ns - self._ttl_ns:
            anew = True  # its time is up, and one that was seen before it is still in front of it
        if key not in partition.remembered:
            life.remembered = True
            partition.remembered[key] = life
            self._remembered += 1
        partition.remembered.move_to_end(key)
        life.newest_ns = time_ns if anew else max(life.newest_ns, time_ns)
        life.admitted = self._admitted
        while self._remembered > self._keys_max:
            self._evict()
        return life, anew

    def _expire(self, partition: _PartitionKeys, since_ns: int) -> None:
        while partition.remembered:
            key, life = next(iter(partition.remembered.items()))
            if life.newest_ns >= since_ns:
                return
            self.expired_total += 1
            self._forget(partition, key)

    def _evict(self) -> None:
        """Forget the key not seen for longest, of any partition."""
        partition = min(
            (keys for keys in self._partitions.values() if keys.remembered),
            key=lambda keys: next(iter(keys.remembered.values())).admitted,
        )
        self.evicted_total += 1
        self._forget(partition, next(iter(partition.remembered)))

    def _forget(self, partition: _PartitionKeys, key: bytes | None) -> None:
        """Let a key go; where events of it are on their way, they still have its state."""
        life = partition.remembered.pop(key)
        life.remembered = False
        self._remembered -= 1
        if life.under_way is None:
            self._free(life)
            del partition.lives[key]

    def _free(self, life: KeyLife) -> None:
        if life.slot != NO_SLOT:
            self._freed.append(life.slot)
            life.slot = NO_SLOT
