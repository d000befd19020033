"""Lanes: queues of different priority, and how a micro-batch is shared among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.core import BoolArray, Float64Array, Int64Array
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.options import Ordering
from streamproc.scheduling.queue import KEY, NUMBER, PARTITION, DeadlineQueue, block_of

_SLOTS = 1 << 14
"""Of 1,000 keys in two lanes one in 16 shares its slot with another, and is looked at more closely."""
_NEVER = -1
_SEVERAL = -2


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """A lane as the scheduler knows it.

    Attributes:
        name: the metric's label.
        priority: 0 is served first.
        share: the part of the events served that is its at least, while it has any waiting.
        budget_ns: how long its decisions may take; 0 where nobody knows.
    """

    name: str
    priority: int = 0
    share: float = 0.0
    budget_ns: int = 0


class LaneQueues:
    """The waiting events of all lanes.

    Where order is kept, all waiting events of a key are in the first lane that any of them is in: else one would
    have to wait for an earlier one in a lane behind, or overtake it.

    Args:
        lanes: the lanes.
        ordering: whose events leave in the order of their numbers.
    """

    def __init__(self, lanes: Sequence[LaneSpec], ordering: Ordering) -> None:
        self._keep_order = ordering != "none"
        group = PARTITION if ordering == "partition" else KEY
        self.queues = [DeadlineQueue(keep_order=self._keep_order, group=group) for _ in lanes]
        self.by_priority = sorted(range(len(lanes)), key=lambda lane: lanes[lane].priority)
        """Indexes of the lanes in the order in which they are served."""
        self._rank = np.argsort(np.array(self.by_priority))
        self._seen_in: Int64Array = np.full(_SLOTS, _NEVER)
        """By a part of a key's hash, the rank of the lane that its events went to since the queues were empty."""

    def __len__(self) -> int:
        return sum(map(len, self.queues))

    def push(self, offered: Offered, now_ns: int) -> None:
        """Add events of one partition, each to its lane."""
        block = block_of(offered, now_ns)
        if offered.lane is None:
            self.queues[0].push(block)
            return
        moved = False
        rank = self._rank[offered.lane]
        if self._keep_order and not self._stay(block[KEY], rank):
            rank, moved = self._join(block[KEY], rank)
        for place, count in enumerate(np.bincount(rank, minlength=len(self.queues)).tolist()):
            if count == len(rank):
                self.queues[self.by_priority[place]].push(block, inherit=moved)
            elif count:
                self.queues[self.by_priority[place]].push(block[:, rank == place], inherit=moved)

    def withdraw(self, partition: int) -> Int64Array:
        """Take all events of a partition; gives their numbers."""
        return np.concatenate([queue.withdraw(partition) for queue in self.queues])

    def remove_keys(self, key: Int64Array) -> Int64Array:
        """Take all waiting events of these keys; gives their numbers."""
        found = [q.remove(np.isin(q.column(KEY), key)) for q in self.queues if len(q)]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def remove_numbers(self, number: Int64Array) -> None:
        """Take waiting events out by their numbers."""
        for queue in self.queues:
            if len(queue):
                queue.remove(np.isin(queue.column(NUMBER), number))

    def gather(self, columns: Sequence[int]) -> list[Int64Array]:
        """Columns of all queues, one lane behind the other in order of priority, each int64 [n]."""
        return [
            np.concatenate([self.queues[lane].column(which) for lane in self.by_priority])
            for which in columns
        ]

    def remove(self, gone: BoolArray) -> Int64Array:
        """Take the events marked (bool [n], in the order of ``gather``); gives their numbers."""
        found, start = [], 0
        for lane in self.by_priority:
            queue = self.queues[lane]
            stop = start + len(queue)
            found.append(queue.remove(gone[start:stop]))
            start = stop
        return np.concatenate(found)

    def _stay(self, key: Int64Array, rank: Int64Array) -> bool:
        """True where surely no key has events in several lanes, as where the lane follows from the key."""
        if not len(self):
            self._seen_in.fill(_NEVER)
        slot = key & (_SLOTS - 1)
        before = self._seen_in[slot]
        self._seen_in[slot] = rank
        alike = self._seen_in[slot] == rank
        if bool((alike & ((before == rank) | (before == _NEVER))).all()):
            return True
        self._seen_in[slot] = _SEVERAL
        return False

    def _join(self, key: Int64Array, rank: Int64Array) -> tuple[Int64Array, bool]:
        """The lanes of new events (as ranks, int64 [n]) when all of a key are in the first lane of any of them.

        Waiting events of these keys move there too; the second value says whether anything changed lanes.
        """
        keys, of = np.unique(key, return_inverse=True)
        first = np.full(len(keys), len(self.by_priority))
        np.minimum.at(first, of, rank)
        for place, lane in enumerate(self.by_priority):
            if len(self.queues[lane]):
                waits = np.isin(keys, self.queues[lane].column(KEY))
                first[waits] = np.minimum(first[waits], place)
        changed = bool((first[of] != rank).any())
        for place, lane in enumerate(self.by_priority):
            queue = self.queues[lane]
            gone = np.isin(queue.column(KEY), keys[first < place])
            if gone.any():
                changed = True
                block = queue.extract(gone)
                target = first[np.searchsorted(keys, block[KEY])]
                for before in range(place):
                    self.queues[self.by_priority[before]].push(
                        block[:, target == before], inherit=True
                    )
        return first[of], changed


class LaneShares:
    """What each lane still has to get, in events, so that its guaranteed share is kept.

    A lane that waits while others are served earns its share of what they get; what it has earned it gets
    before they do, whatever their priority: deficit round robin (Shreedhar and Varghese 1995) inside a batch.

    Args:
        lanes: the lanes.
        credit_max: the most that can be earned: a lane that was idle for long must not block the others.
    """

    def __init__(self, lanes: Sequence[LaneSpec], credit_max: int) -> None:
        self._share: Float64Array = np.array([lane.share for lane in lanes])
        self._credit: Float64Array = np.zeros(len(lanes))
        self._credit_max = credit_max

    def owed(self, lane: int) -> int:
        """How many events the lane is to get before others."""
        return int(self._credit[lane])

    def served(self, counts: Sequence[int], waiting: Sequence[int]) -> None:
        """A batch took so many of each lane, of those that were waiting in it before."""
        total = sum(counts)
        self._credit += self._share * total
        self._credit -= counts
        np.clip(self._credit, 0, self._credit_max, out=self._credit)
        self._credit[np.array(waiting) == 0] = 0


def distribute(
    total: int, available: Sequence[int], owed: Sequence[int], order: Sequence[int]
) -> list[int]:
    """How many events of each lane go into a batch.

    Args:
        total: the batch's size, at most the sum of ``available``.
        available: by lane, how many could go into it.
        owed: by lane, how many it is to get before others.
        order: the lanes by priority.
    """
    counts = [0] * len(available)
    left = total
    for lane in order:
        counts[lane] = min(available[lane], owed[lane], left)
        left -= counts[lane]
    for lane in order:
        more = min(available[lane] - counts[lane], left)
        counts[lane] += more
        left -= more
    return counts
