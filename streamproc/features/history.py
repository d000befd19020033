"""What is remembered of each key: the last events, in columns; and windows over them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import Array, BoolArray, Columns, Float64Array, Int64Array
from streamproc.features.timeline import Timeline, windows

ABSENT_NS = np.iinfo(np.int64).min
"""The time of a place that no event has."""
_EXACT_IN_FLOAT32 = frozenset(("bool", "int8", "int16", "float32"))


@dataclass(frozen=True, slots=True)
class Column:
    """One field in a history.

    Attributes:
        shape: the sizes of an event's value, () for a single number.
        dtype: the field's own type.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def kept_as(self) -> str:
        """The type that holds it exactly in the fewest bytes; whole numbers as what is calculated with."""
        return "float32" if self.dtype in _EXACT_IN_FLOAT32 else "float64"


@dataclass(slots=True)
class Window:
    """The members of each event's window.

    Attributes:
        size: how many places are looked at.
        member: bool [n, size], which of them are members, oldest first.
        full: whether all are.
    """

    size: int
    member: BoolArray
    full: bool
    values: dict[str, Float64Array] = field(default_factory=dict)
    _count: Int64Array | None = None

    @property
    def count(self) -> Int64Array:
        """How many members each event's window has (int64 [n])."""
        if self._count is None:
            self._count = np.count_nonzero(self.member, axis=1)
        return self._count


class History:
    """Remembers the last events of every slot.

    Args:
        depth: how many events of each slot are remembered.
        columns: the fields that are remembered.
        ttl_ns: an event is a member of no window that ends more than this later; None for no such bound.
    """

    def __init__(self, *, depth: int, columns: Mapping[str, Column], ttl_ns: int | None) -> None:
        self.depth = depth
        self._ttl_ns = ttl_ns
        self._columns = dict(columns)
        self._time_ns: Int64Array = np.empty((0, depth), np.int64)
        self._kept: Columns = {
            name: np.empty((0, depth, *column.shape), column.kept_as)
            for name, column in columns.items()
        }
        self._line: Timeline | None = None
        self._now_ns: Int64Array = np.empty(0, np.int64)
        self._at_ns: Int64Array = self._now_ns
        self._laid_out: Columns = {}
        self._windows: dict[tuple[int, int | None], Window] = {}

    @property
    def bytes_a_key(self) -> int:
        """What one slot takes."""
        rows = [self._time_ns, *self._kept.values()]
        return sum(row.dtype.itemsize * int(np.prod(row.shape[1:])) for row in rows)

    @property
    def layout(self) -> str:
        """What the numbers of a slot are, in words."""
        columns = [
            f"{name} {column.kept_as}{list(column.shape)}" for name, column in self._columns.items()
        ]
        return f"{self.depth} of time, {', '.join(columns)}"

    def tables(self) -> list[Array]:
        """All that is remembered, each [slots, depth, ...], always in one order."""
        return [self._time_ns, *self._kept.values()]

    def grow(self, capacity: int) -> None:
        """Make room for so many slots."""
        held = len(self._time_ns)
        if capacity > held:
            time_ns = np.full((capacity, self.depth), ABSENT_NS, np.int64)
            time_ns[:held] = self._time_ns
            self._time_ns = time_ns
            for name, old in self._kept.items():
                self._kept[name] = np.zeros((capacity, *old.shape[1:]), old.dtype)
                self._kept[name][:held] = old

    def newest_ns(self, slots: Int64Array) -> Int64Array:
        """When the newest event of each slot happened (int64 [n]); long before all others where there is none."""
        newest_ns: Int64Array = self._time_ns[slots].max(axis=1, initial=ABSENT_NS)
        return newest_ns

    def forget(self, slots: Int64Array) -> None:
        """These slots remember nothing."""
        self._time_ns[slots] = ABSENT_NS

    def begin(self, slot: Int64Array, entered: BoolArray | None, time_ns: Int64Array) -> None:
        """Take a batch in.

        Args:
            slot: int64 [n], whose each event is.
            entered: bool [n], which events are remembered; None for all.
            time_ns: int64 [n], when they happened.
        """
        line = self._line = Timeline(slot, entered, self.depth)
        self._now_ns = time_ns
        self._at_ns = line.lay_out(self._time_ns[line.slots], time_ns)  # type: ignore[assignment]
        self._laid_out = {}
        self._windows = {}

    def commit(self, columns: Columns) -> None:
        """Remember the batch; until then nothing has changed.

        Args:
            columns: the fields of the batch.
        """
        line = self._timeline
        for name in self._columns:
            self._kept[name][line.slots] = line.remember(self._column(name, columns))
        self._time_ns[line.slots] = line.remember(self._at_ns)

    def window(self, *, events: int, time_ns: int | None = None) -> Window:
        """The last entries that each event sees, its own included.

        Args:
            events: at most so many.
            time_ns: only those that happened in the time up to the event's own, so long, its end included and its
                beginning not; None for those that came last, whenever they happened.
        """
        known = self._windows.get((events, time_ns))
        if known is None:
            at_ns = self.times(events)
            now_ns = self._now_ns[:, np.newaxis]
            reach_ns = min((ns for ns in (time_ns, self._ttl_ns) if ns is not None), default=None)
            member = at_ns != ABSENT_NS if reach_ns is None else at_ns > now_ns - reach_ns
            if time_ns is not None:
                member &= at_ns <= now_ns
            known = Window(events, member, bool(member.all()))
            self._windows[events, time_ns] = known
        return known

    def times(self, events: int) -> Int64Array:
        """When the last entries that each event sees happened (int64 [n, events]); ``ABSENT_NS`` for none."""
        return windows(self._at_ns, self._timeline.end, events)  # type: ignore[return-value]

    def values(self, window: Window, name: str, columns: Columns) -> Float64Array:
        """A field's values in a window (float64 [n, size, ...]); 0 where there is no member."""
        known = window.values.get(name)
        if known is None:
            raw = windows(self._column(name, columns), self._timeline.end, window.size)
            known = raw.astype(np.float64, copy=False)
            if not window.full:
                member = window.member.reshape(*window.member.shape, *([1] * (raw.ndim - 2)))
                known = np.where(member, known, 0.0)
            window.values[name] = known
        return known

    @property
    def _timeline(self) -> Timeline:
        if self._line is None:
            msg = "no batch was begun"
            raise RuntimeError(msg)
        return self._line

    def _column(self, name: str, columns: Columns) -> Array:
        column = self._laid_out.get(name)
        if column is None:
            line = self._timeline
            column = line.lay_out(self._kept[name][line.slots], columns[name])
            self._laid_out[name] = column
        return column
