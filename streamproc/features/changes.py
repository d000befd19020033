"""Whose state has changed since it was last written somewhere, and whose stands there."""

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
        self._written: BoolArray = np.zeros(0, np.bool_)
        self._gone: dict[int, dict[bytes | None, None]] = {}

    def touched(self, slots: Int64Array) -> None:
        """The state of these slots changed."""
        self._changed = self._long_enough(self._changed)
        self._changed[slots] = True

    def written(self, slots: Int64Array) -> None:
        """The state of these slots stands there now, or stood there when it was read."""
        self._written = self._long_enough(self._written)
        self._written[slots] = True

    def emptied(self, slots: Int64Array) -> None:
        """These slots are nobody's."""
        for marks in (self._changed, self._written):
            marks[slots[slots < len(marks)]] = False

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
        return self._marked(self._changed, partition)

    def written_of(self, partition: int) -> Int64Array:
        """The slots of a partition whose state stands there (int64 [n])."""
        return self._marked(self._written, partition)

    def take_written(self, partition: int, slots: Int64Array) -> Int64Array:
        """Those of the slots that are still the partition's and still stand there; they are taken to be deleted there."""
        slots = slots[self._written[slots] & (self._keys.partition_of(slots) == partition)]
        self._written[slots] = False
        return slots

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

    def _marked(self, marks: BoolArray, partition: int) -> Int64Array:
        marked = np.flatnonzero(marks)
        mine: Int64Array = marked[self._keys.partition_of(marked) == partition]
        return mine

    def _long_enough(self, marks: BoolArray) -> BoolArray:
        if self._keys.capacity <= len(marks):
            return marks
        grown = np.zeros(self._keys.capacity, np.bool_)
        grown[: len(marks)] = marks
        return grown
