"""Which slot of the columnar state is whose: keys to row numbers, with a bound."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import numpy as np

from streamproc.core import Int64Array

Owner: TypeAlias = tuple[int, bytes | None]
"""A partition, and a key of it."""

_FIRST = 1_024
_EVICTED_SHARE = 64
"""Where there is no room, this part (a 64th) of the keys goes at once: looking for the oldest costs a pass over all."""


class KeyTable:
    """Gives each key of each partition a slot.

    A partition's keys are its own: a key that is in two partitions has two slots, so that its state does not
    depend on how the two were interleaved, and goes where the partition goes.

    Args:
        keys_max: how many keys there may be at once; where more are needed those not seen for longest go.
        emptied: is told of slots (int64 [n]) that belong to nobody any more, before anyone else gets them.
        evicted: is told before of the keys that go because there is no room, and of their partitions.

    Attributes:
        evicted_total: keys that went because there was no room.
        capacity: how many slots have been asked for; grows up to ``keys_max``.
    """

    def __init__(
        self,
        *,
        keys_max: int,
        emptied: Callable[[Int64Array], None],
        evicted: Callable[[Sequence[Owner]], None] | None = None,
    ) -> None:
        self._keys_max = keys_max
        self._emptied = emptied
        self._evicted = evicted
        self._slots: dict[int, dict[bytes | None, int]] = {}
        self._free: list[int] = []
        self._owner: list[Owner] = []
        self._seen: Int64Array = np.zeros(0, np.int64)
        """By slot, the batch that it was last seen in; -1 where it is nobody's."""
        self._partition: Int64Array = np.zeros(0, np.int64)
        self._batches = 0
        self.capacity = 0
        self.evicted_total = 0

    def __len__(self) -> int:
        return len(self._owner) - len(self._free)

    def __contains__(self, owner: Owner) -> bool:
        partition, key = owner
        return key in self._slots.get(partition, {})

    def slots(self, partition: int, keys: Sequence[bytes | None]) -> Int64Array:
        """The slots of a batch's keys (int64 [n]); a key that is new gets one.

        Args:
            partition: whose keys they are.
            keys: [n], no more than ``keys_max`` different ones.
        """
        known = self._slots.setdefault(partition, {})
        self._batches += 1
        found = list(map(known.get, keys))
        if None in found:
            here = [slot for slot in found if slot is not None]
            self._seen[here] = self._batches
            # Not a set, whose order is another one in each process.
            new = dict.fromkeys(k for k, slot in zip(keys, found, strict=True) if slot is None)
            self._take(partition, known, new)
            found = list(map(known.get, keys))
        slots = np.array(found, np.int64)
        self._seen[slots] = self._batches
        return slots

    def partition_of(self, slots: Int64Array) -> Int64Array:
        """Whose partition's these slots are (int64 [n])."""
        return self._partition[slots]

    def owner(self, slot: int) -> Owner:
        """Whose a slot is, or was before it was emptied."""
        return self._owner[slot]

    def drop(self, partitions: Collection[int]) -> None:
        """These partitions are ours no longer."""
        for partition in partitions:
            gone = np.fromiter(self._slots.pop(partition, {}).values(), np.int64)
            if len(gone):
                self._emptied(gone)
                self._seen[gone] = -1
                self._free += gone.tolist()

    def _take(
        self, partition: int, known: dict[bytes | None, int], new: Collection[bytes | None]
    ) -> None:
        missing = len(new) - len(self._free) - (self._keys_max - len(self._owner))
        if missing > 0:
            self._evict(max(missing, self._keys_max // _EVICTED_SHARE))
        for key in new:
            if self._free:
                slot = self._free.pop()
                self._owner[slot] = (partition, key)
            else:
                slot = len(self._owner)
                self._owner.append((partition, key))
                if slot >= self.capacity:
                    self._grow()
            known[key] = slot
            self._seen[slot] = self._batches
            self._partition[slot] = partition

    def _grow(self) -> None:
        self.capacity = min(self._keys_max, max(_FIRST, 2 * self.capacity))
        seen = np.full(self.capacity, -1, np.int64)
        seen[: len(self._seen)] = self._seen
        self._seen = seen
        owners = np.zeros(self.capacity, np.int64)
        owners[: len(self._partition)] = self._partition
        self._partition = owners

    def _evict(self, count: int) -> None:
        """Take slots from the keys not seen for longest, none of them of the present batch."""
        idle = np.flatnonzero((self._seen >= 0) & (self._seen < self._batches))
        order = np.argsort(self._seen[idle], kind="stable")
        gone = idle[order[:count]]
        for slot in gone.tolist():
            partition, key = self._owner[slot]
            del self._slots[partition][key]
        if self._evicted is not None:
            self._evicted([self._owner[slot] for slot in gone.tolist()])
        self._emptied(gone)
        self._seen[gone] = -1
        self._free += gone.tolist()
        self.evicted_total += len(gone)
