"""The acknowledgement tracker: up to where everything of a partition is done."""

import numpy as np

from streamproc.core import BoolArray, Int64Array

_GROW = 4096


class AcknowledgementTracker:
    """Orders what was fetched of one partition, and knows how far all of it is done.

    It counts fetched records (ordinals), never offsets: compaction and transaction markers leave gaps in
    those. A record is done when all its events are. When all records are done the position is the
    consumer's own, which may lie behind the last record.

    Args:
        position: where the partition is read from.
    """

    __slots__ = ("_base", "_end_position", "_first_open", "_left", "_offset", "_total")

    def __init__(self, position: int) -> None:
        self._base = 0
        """The ordinal of place 0 in the arrays."""
        self._total = 0
        """The ordinal of the next record."""
        self._first_open = 0
        """All ordinals before this one are done."""
        self._end_position = position
        self._offset: Int64Array = np.empty(_GROW, np.int64)
        self._left: Int64Array = np.zeros(_GROW, np.int64)
        """How many events of each record have no outcome yet."""

    def fetched(self, offset: Int64Array, end_position: int) -> int:
        """Records were fetched, the next ones of the partition; each is one event until ``holds`` is called.

        Args:
            offset: int64 [n], ascending.
            end_position: the consumer's position behind them.

        Returns:
            the ordinal of the first of them; the others follow.
        """
        first = self._total
        place = first - self._base
        if place + len(offset) > len(self._offset):
            place = self._make_room(len(offset))
        self._offset[place : place + len(offset)] = offset
        self._left[place : place + len(offset)] = 1
        self._total += len(offset)
        self._end_position = end_position
        return first

    def holds(self, ordinal: int, events: Int64Array) -> None:
        """The records from this ordinal on hold so many events each (int64 [n], at least 1)."""
        place = ordinal - self._base
        self._left[place : place + len(events)] = events

    def moved(self, end_position: int) -> None:
        """The consumer's position moved over what holds no records (markers, compacted ranges)."""
        self._end_position = max(self._end_position, end_position)

    def done(self, ordinal: Int64Array, *, repeated: bool = True) -> None:
        """An event of each of these records has its outcome.

        Args:
            ordinal: int64 [n], ascending.
            repeated: False where none is there twice, as one is for several of its events: a third of the time.
        """
        if repeated:
            np.subtract.at(self._left, ordinal - self._base, 1)
            return
        if not len(ordinal):
            return
        first, last = int(ordinal[0]) - self._base, int(ordinal[-1]) - self._base
        if last - first + 1 == len(ordinal):  # side by side, as most are: a third of the time again
            self._left[first : last + 1] -= 1
        else:
            self._left[ordinal - self._base] -= 1

    def offsets(self, ordinal: Int64Array) -> Int64Array:
        """The offsets of records that were not done at the last look (int64 [n])."""
        return self._offset[ordinal - self._base]

    @property
    def open_total(self) -> int:
        """How many events have no outcome yet."""
        place = self._first_open - self._base
        return int(self._left[place : self._total - self._base].sum())

    @property
    def position(self) -> int:
        """The position to commit: every record before it is done."""
        place, end = self._first_open - self._base, self._total - self._base
        undone: BoolArray = self._left[place:end] > 0
        ahead = int(undone.argmax()) if undone.any() else end - place
        self._first_open += ahead
        if self._first_open == self._total:
            return self._end_position
        return int(self._offset[self._first_open - self._base])

    @property
    def beyond(self) -> Int64Array:
        """The offsets of the records behind the position that are done all the same (int64 [n], ascending)."""
        _ = self.position  # moves on over what is done
        begin, end = self._first_open - self._base, self._total - self._base
        return self._offset[begin:end][self._left[begin:end] <= 0]

    def _make_room(self, count: int) -> int:
        """Drop what is done, grow if need be; gives the place of the next record."""
        _ = self.position  # moves on over what is done
        drop = self._first_open - self._base
        held = self._total - self._first_open
        size = max(len(self._offset), 2 * (held + count))
        for name in ("_offset", "_left"):
            old = getattr(self, name)
            new = np.zeros(size, old.dtype)
            new[:held] = old[drop : drop + held]
            setattr(self, name, new)
        self._base = self._first_open
        return held
