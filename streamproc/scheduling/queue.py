"""The queue: events that wait, as sorted columns in one growing block of memory."""

from typing import Final, Literal, NamedTuple

import numpy as np

from streamproc.core import BoolArray, Float64Array, Int64Array
from streamproc.scheduling.offered import Offered

ORDER: Final = 0
DEADLINE: Final = 1
NUMBER: Final = 2
PARTITION: Final = 3
SINCE: Final = 4
KEY: Final = 5
COST: Final = 6
VALUE: Final = 7
_COLUMNS: Final = 8
_FIRST_ROOM: Final = 1_024

_ONE: Final = int(np.float64(1.0).view(np.int64))
"""The cost and value of an ordinary event: floats lie in the block by their bits."""


class Taken(NamedTuple):
    """Events that left the queue.

    Attributes:
        number: int64 [n], those taken, in order of service.
        dropped: int64 [m], those given up on the way, in order of service.
        cost: what those taken cost together, where that was limited; else 0.
        earliest_ns: the first of the own deadlines of those taken; 0 where there are none.
    """

    number: Int64Array
    dropped: Int64Array
    cost: float = 0.0
    earliest_ns: int = 0


def block_of(offered: Offered, now_ns: int) -> Int64Array:
    """Offered events as a block (int64 [columns, n]) for ``DeadlineQueue.push``."""
    block = np.empty((_COLUMNS, len(offered)), np.int64)
    block[ORDER] = block[DEADLINE] = offered.deadline_ns
    block[NUMBER] = offered.number
    block[PARTITION] = offered.partition
    block[SINCE] = now_ns
    block[KEY] = offered.partition if offered.key is None else offered.key
    block[COST] = _ONE if offered.cost is None else offered.cost.view(np.int64)
    block[VALUE] = _ONE if offered.value is None else offered.value.view(np.int64)
    return block


class DeadlineQueue:
    """Events in the order in which they are to be served: earliest deadline first.

    Where order is to be kept, an event takes over the earliest deadline of those behind it with its key (of its
    partition, where there are no keys), so that it is never overtaken; its own deadline stays what it was. That
    is priority inheritance (Sha, Rajkumar, Lehoczky 1990) for order instead of locks.

    What comes in order is appended; what does not is merged into the part behind it, so an event costs O(log n)
    and as much copying as there are events with later deadlines than its own.

    Args:
        keep_order: whether events of a key leave in the order of their numbers.
        group: ``KEY``, or ``PARTITION`` where all events of a partition leave in that order.
    """

    __slots__ = ("_group", "_head", "_inherited", "_keep_order", "_newest_ns", "_room", "_tail")

    def __init__(self, *, keep_order: bool, group: int = KEY) -> None:
        self._keep_order = keep_order
        self._group = group
        self._room: Int64Array = np.empty((_COLUMNS, _FIRST_ROOM), np.int64)
        self._head = self._tail = 0
        self._inherited = False
        self._newest_ns: dict[int, int] = {}

    def __len__(self) -> int:
        return self._tail - self._head

    def column(self, which: int) -> Int64Array:
        """One of the columns, int64 [n] in order of service; not to be kept over a change."""
        return self._room[which, self._head : self._tail]

    @property
    def deadlines_ns(self) -> Int64Array:
        """int64 [n], the events' own deadlines, ascending."""
        own = self.column(DEADLINE)
        return np.sort(own) if self._inherited else own

    @property
    def earliest_ns(self) -> int:
        """The first of the own deadlines; there must be an event."""
        return int(
            self.column(DEADLINE).min() if self._inherited else self._room[DEADLINE, self._head]
        )

    @property
    def latest_ns(self) -> int:
        """The last of the own deadlines; there must be an event."""
        return int(
            self.column(DEADLINE).max() if self._inherited else self._room[DEADLINE, self._tail - 1]
        )

    @property
    def is_by_deadline(self) -> bool:
        """True where the order of service is that of the own deadlines: nothing was inherited."""
        return not self._inherited

    @property
    def costs(self) -> Float64Array:
        """float64 [n], in order of service."""
        return self.column(COST).view(np.float64)

    @property
    def values(self) -> Float64Array:
        """float64 [n], in order of service."""
        return self.column(VALUE).view(np.float64)

    def push(self, block: Int64Array, *, inherit: bool = False) -> None:
        """Add events.

        Args:
            block: what ``block_of`` gave, or columns of it; of one partition, unless ``inherit``.
            inherit: True where events may have to take over deadlines even though the partition's ascend.
        """
        count = block.shape[1]
        if not count:
            return
        self._reserve(count)
        order = block[ORDER]
        ascends = count == 1 or bool((order[1:] >= order[:-1]).all())
        first = int(order[0] if ascends else order.min())
        if self._keep_order and (self._may_overtake(block, first, ascends=ascends) or inherit):
            self._merge(block, first, inherit=True)
        elif ascends and (self._head == self._tail or first >= self._room[ORDER, self._tail - 1]):
            self._room[:, self._tail : self._tail + count] = block
            self._tail += count
        else:
            self._merge(block, first, inherit=False)

    def take(
        self,
        count: int,
        *,
        reach_ns: int,
        drop: bool,
        cost_max: float | None = None,
        alone: bool = True,
    ) -> Taken:
        """Take the first events, in order of service, whose own deadlines are not before an instant.

        Args:
            count: how many at most.
            reach_ns: the instant.
            drop: whether those before it are given up, or stay.
            cost_max: the most that they may cost together; None for no limit. Those that cost more alone are
                passed over.
            alone: whether one is taken all the same where each costs more.
        """
        own = self.column(DEADLINE)
        if self._inherited:
            kept = own >= reach_ns
            rows = np.flatnonzero(kept)
            dropped = np.flatnonzero(~kept) if drop else rows[:0]
        else:
            start = int(np.searchsorted(own, reach_ns))
            rows = np.arange(
                start, len(own) if cost_max is not None else min(start + count, len(own))
            )
            dropped = np.arange(start if drop else 0)
        cost = 0.0
        if cost_max is None:
            rows = rows[:count]
        elif len(rows):
            rows, cost = self._within(rows, count, cost_max, alone=alone)
        numbers = self.column(NUMBER)
        earliest_ns = 0
        if len(rows):
            earliest_ns = int(own[rows].min() if self._inherited else own[rows[0]])
        taken = Taken(numbers[rows], numbers[dropped], cost, earliest_ns)
        last = max(int(some[-1]) if len(some) else -1 for some in (rows, dropped))
        if last + 1 == len(rows) + len(dropped):
            self._advance(len(rows) + len(dropped))  # they are the first ones
        else:
            gone = np.zeros(len(self), np.bool_)
            gone[rows] = gone[dropped] = True
            self._remove(gone)
        return taken

    def remove(self, gone: BoolArray) -> Int64Array:
        """Take the events marked (bool [n], in order of service); gives their numbers."""
        numbers = self.column(NUMBER)[gone]
        if len(numbers):
            self._remove(gone)
        return numbers

    def extract(self, gone: BoolArray) -> Int64Array:
        """Take the events marked out as a block, to be pushed elsewhere, in order of their numbers."""
        block = self._room[:, self._head : self._tail][:, gone]
        self._remove(gone)
        block[ORDER] = block[DEADLINE]
        return block[:, np.argsort(block[NUMBER], kind="stable")]

    def withdraw(self, partition: int) -> Int64Array:
        """Take all events of a partition; gives their numbers."""
        self._newest_ns.pop(partition, None)
        return self.remove(self.column(PARTITION) == partition)

    def _within(
        self, rows: Int64Array, count: int, cost_max: float, *, alone: bool
    ) -> tuple[Int64Array, float]:
        """The first of the rows that cost no more together, and what they cost.

        One that alone costs more is passed over, as it would be late in a batch of its own; where all do, the
        first is taken, or none.
        """
        cost = self.costs[rows]
        fits = cost <= cost_max
        if not fits.any():
            return (rows[:1], float(cost[0])) if alone else (rows[:0], 0.0)
        rows, spent = rows[fits], np.cumsum(cost[fits])
        count = min(count, int(np.searchsorted(spent, cost_max * (1 + 1e-12), side="right")))
        return rows[:count], float(spent[count - 1]) if count else 0.0

    def _may_overtake(self, block: Int64Array, first: int, *, ascends: bool) -> bool:
        """Whether an event of the block may have a deadline before one of its partition that came earlier."""
        partition = int(block[PARTITION, 0])
        newest_ns = self._newest_ns.get(partition)
        latest_ns = int(block[ORDER, -1] if ascends else block[ORDER].max())
        latest_ns = latest_ns if newest_ns is None else max(latest_ns, newest_ns)
        self._newest_ns[partition] = latest_ns
        for other in set(block[PARTITION].tolist()) if block[PARTITION, -1] != partition else ():
            self._newest_ns[other] = max(latest_ns, self._newest_ns.get(other, latest_ns))
        if not ascends:
            return True
        return newest_ns is not None and first < newest_ns and bool(len(self))

    def _merge(self, block: Int64Array, first: int, *, inherit: bool) -> None:
        """Put the block in its place; those that are to be served before all of it are not touched."""
        # One that inherits the very same instant may have come before others that have it.
        side: Literal["left", "right"] = "left" if inherit else "right"
        place = self._head + int(np.searchsorted(self.column(ORDER), first, side=side))
        merged = np.concatenate((self._room[:, place : self._tail], block), axis=1)
        if inherit:
            order = inherited(merged[self._group], merged[NUMBER], merged[ORDER])
            merged[ORDER] = order
            self._inherited = self._inherited or bool((order != merged[DEADLINE]).any())
            rows = np.lexsort((merged[NUMBER], order))
        else:
            rows = np.argsort(merged[ORDER], kind="stable")
        self._tail += block.shape[1]
        self._room[:, place : self._tail] = merged[:, rows]

    def _reserve(self, count: int) -> None:
        """Make room for so many more; what is moved was filled since the last move, so it is amortised."""
        size = self._room.shape[1]
        if self._tail + count <= size:
            return
        held = len(self)
        room = self._room
        if 2 * (held + count) > size:
            room = np.empty((_COLUMNS, 2 * max(size, held + count)), np.int64)
        room[:, :held] = self._room[:, self._head : self._tail].copy()
        self._room, self._head, self._tail = room, 0, held

    def _advance(self, count: int) -> None:
        self._head += count
        if self._head == self._tail:
            self._head = self._tail = 0
            self._inherited = False
            self._newest_ns.clear()

    def _remove(self, gone: BoolArray) -> None:
        kept = self._room[:, self._head : self._tail][:, ~gone]
        self._tail = self._head + kept.shape[1]
        self._room[:, self._head : self._tail] = kept
        self._advance(0)


def inherited(key: Int64Array, number: Int64Array, order_ns: Int64Array) -> Int64Array:
    """For each event the earliest ``order_ns`` among itself and the later ones of its key.

    Args:
        key: int64 [n].
        number: int64 [n], unique.
        order_ns: int64 [n].
    """
    found = np.empty_like(order_ns)
    if (key == key[:1]).all():  # those of one partition are: no key begins behind another
        by = np.argsort(number)
        found[by] = np.minimum.accumulate(order_ns[by][::-1])[::-1]
        return found
    by = np.lexsort((number, key))
    keys = key[by]
    instants, rank = np.unique(order_ns[by], return_inverse=True)
    # One running minimum from the back, for all keys at once: each key's ranks lie above those of the keys
    # before it, so that a minimum never comes over from the key behind.
    base = np.zeros(len(by), np.int64)
    np.cumsum(keys[1:] != keys[:-1], out=base[1:])
    base *= len(instants)
    least = np.minimum.accumulate((base + rank)[::-1])[::-1] - base
    found[by] = instants[least]
    return found
