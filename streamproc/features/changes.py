"""Whose state has changed since it was last written somewhere."""

from collections.abc import Collection, Sequence

import numpy as np

from streamproc.core import BoolArray, Int64Array
from streamproc.features.keys import KeyTable, Owner


class Changes:
    """Notes slots whose state changed, and keys that were forgotten for want of room.

    Args:
        keys: whose slots they are.
    """

    def __init__(self, keys: KeyTable) -> None:
        self._keys = keys
        self._changed: BoolArray = np.zeros(0, np.bool_)
        self._gone: dict[int, dict[bytes | None, None]] = {}

    def touched(self, slots: Int64Array) -> None:
        """The state of these slots changed."""
        if self._keys.capacity > len(self._changed):
            grown = np.zeros(self._keys.capacity, np.bool_)
            grown[: len(self._changed)] = self._changed
            self._changed = grown
        self._changed[slots] = True

    def emptied(self, slots: Int64Array) -> None:
        """These slots are nobody's."""
        self._changed[slots[slots < len(self._changed)]] = False

    def evicted(self, owners: Sequence[Owner]) -> None:
        """These keys were forgotten."""
        for partition, key in owners:
            self._gone.setdefault(partition, {})[key] = None

    def drop(self, partitions: Collection[int]) -> None:
        """These partitions are ours no longer: what was forgotten of them is another's to know."""
        for partition in partitions:
            self._gone.pop(partition, None)

    def of(self, partition: int) -> Int64Array:
        """The slots of a partition that changed (int64 [n])."""
        changed = np.flatnonzero(self._changed)
        mine: Int64Array = changed[self._keys.partition_of(changed) == partition]
        return mine

    def take(self, partition: int, slots: Int64Array) -> Int64Array:
        """Those of the slots that are still the partition's and still changed; they are taken to be written now."""
        slots = slots[self._changed[slots]]
        slots = slots[self._keys.partition_of(slots) == partition]
        self._changed[slots] = False
        return slots

    def take_gone(self, partition: int) -> list[bytes | None]:
        """The keys of a partition that were forgotten since this was last asked, and have not come back."""
        gone = self._gone.pop(partition, {})
        return [key for key in gone if (partition, key) not in self._keys]
