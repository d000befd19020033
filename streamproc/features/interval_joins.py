"""What interval joins need: the matching events of each key, for as long as another may be joined with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamproc.core import Columns, Float64Array, Int64Array, ObjectArray
from streamproc.features.expressions import Expression
from streamproc.features.history import Window
from streamproc.features.operators.interval import Aggregate, Interval
from streamproc.features.operators.statistics import Statistics

_PLACES_MAX = 1 << 17
_KEY_BYTES = 64
"""A key's bytes object and the reference to it, about."""


class Rows(NamedTuple):
    """Events in the order in which they are taken.

    Attributes:
        columns: their decoded fields, each [n, ...].
        key: object [n].
        time_ns: int64 [n], when they happened.
        place_ns: int64 [n], their places in the order, ascending.
        number: int64 [n], which tells them apart.
    """

    columns: Columns
    key: ObjectArray
    time_ns: Int64Array
    place_ns: Int64Array
    number: Int64Array

    def __len__(self) -> int:
        return len(self.number)


@dataclass(slots=True)
class _Matches:
    """The matching events of one join and shard, in their order.

    Attributes:
        key: int64 [n], which key of the shard.
        values: by field, float64 [n].
    """

    key: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    time_ns: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    place_ns: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    number: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    values: dict[str, Float64Array] = field(default_factory=dict)
    keys: dict[object, int] = field(default_factory=dict)
    sorted: bool = False

    def __len__(self) -> int:
        return len(self.number)

    def add(self, rows: Rows, chosen: Int64Array, fields: Sequence[str]) -> None:
        """Events come behind those that there are."""
        codes = [self.keys.setdefault(key, len(self.keys)) for key in rows.key[chosen].tolist()]
        self.key = np.concatenate([self.key, np.array(codes, np.int64)])
        self.time_ns = np.concatenate([self.time_ns, rows.time_ns[chosen]])
        self.place_ns = np.concatenate([self.place_ns, rows.place_ns[chosen]])
        self.number = np.concatenate([self.number, rows.number[chosen]])
        for name in fields:
            new = rows.columns[name][chosen].astype(np.float64)
            self.values[name] = np.concatenate([self.values.get(name, np.empty(0)), new])
        self.sorted = False

    def keep(self, rows: Int64Array) -> None:
        """Only these are left."""
        self.key, self.time_ns = self.key[rows], self.time_ns[rows]
        self.place_ns, self.number = self.place_ns[rows], self.number[rows]
        self.values = {name: column[rows] for name, column in self.values.items()}
        used, self.key = np.unique(self.key, return_inverse=True)
        names = list(self.keys)
        self.keys = {names[code]: place for place, code in enumerate(used.tolist())}

    def sort(self) -> None:
        """By key, then time, then place in the order, which is that of their coming here."""
        if not self.sorted:
            order = np.lexsort((self.number, self.place_ns, self.time_ns, self.key))
            self.key, self.time_ns = self.key[order], self.time_ns[order]
            self.place_ns, self.number = self.place_ns[order], self.number[order]
            self.values = {name: column[order] for name, column in self.values.items()}
            self.sorted = True


class IntervalJoins:
    """The joins of a pipeline.

    Args:
        joins: the operators.
        conditions: which events each of them matches, by its text.
        grace_ns: how far an event may be behind its place.
        bytes_max: how much the matching events may take; of more, the oldest go.

    Attributes:
        after_ns: how much longer than for its turn an event waits.
        evicted_total: matching events that went because there was no room.
    """

    def __init__(
        self,
        joins: Sequence[Interval],
        conditions: Mapping[str, Expression],
        *,
        grace_ns: int,
        bytes_max: int,
    ) -> None:
        self._joins = tuple(joins)
        self._conditions = conditions
        self._grace_ns = grace_ns
        widest = max(len(join.fields) for join in joins)
        self._rows_max = max(1, bytes_max // (8 * (4 + widest) + _KEY_BYTES))
        self._shards: dict[int, list[_Matches]] = {}
        self.after_ns = max(int(join.after) for join in joins)
        self.evicted_total = 0

    def __len__(self) -> int:
        return sum(len(one) for shard in self._shards.values() for one in shard)

    def drop(self, shard: int) -> None:
        """Forget a shard."""
        self._shards.pop(shard, None)

    def remember(self, shard: int, rows: Rows) -> None:
        """Take in what may be joined with others: all that have a place before these were taken in."""
        kept = self._shards.setdefault(shard, [_Matches() for _ in self._joins])
        for join, matches in zip(self._joins, kept, strict=True):
            mask = self._conditions[join.when].mask(rows.columns, len(rows))
            if mask.any():
                matches.add(rows, np.flatnonzero(mask), join.fields)
                self._make_room(matches)

    def columns(self, shard: int, rows: Rows) -> Columns:
        """What the joins make of events, whose matches are all there; then forget what none behind them can match."""
        kept = self._shards.setdefault(shard, [_Matches() for _ in self._joins])
        made: Columns = {}
        for join, matches in zip(self._joins, kept, strict=True):
            made |= self._joined(join, matches, rows)
            oldest_ns = int(rows.place_ns[-1]) - self._grace_ns - int(join.before)
            old = int(np.count_nonzero(matches.time_ns < oldest_ns))
            if 2 * old > len(matches):
                matches.keep(np.flatnonzero(matches.time_ns >= oldest_ns))
        return made

    def _make_room(self, matches: _Matches) -> None:
        over = min(len(self) - self._rows_max, len(matches))
        if over > 0:
            oldest = np.argsort(matches.place_ns, kind="stable")
            matches.keep(np.sort(oldest[over:]))
            self.evicted_total += over

    def _joined(self, join: Interval, matches: _Matches, rows: Rows) -> Columns:
        matches.sort()
        first, last = _bounds(join, matches, rows)
        names = join.names()
        made: Columns = {name: np.empty(len(rows)) for name in (*names, join.matches)}
        size = min(join.max_events, max(1, int((last - first).max(initial=0))))
        step = max(1, _PLACES_MAX // size)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            place = last[part, np.newaxis] + np.arange(-size, 0)
            member = place >= first[part, np.newaxis]
            place = np.where(member, place, 0)
            if len(matches):
                # An event that came too late for its place must not be joined with one whose turn came before it did.
                until_ns = rows.place_ns[part, np.newaxis] + self.after_ns
                member &= matches.place_ns[place] <= until_ns
                member &= matches.number[place] != rows.number[part, np.newaxis]
            window = Window(size, member, bool(member.all()))
            made[join.matches][part] = window.count
            for name, (column, what) in names.items():
                made[name][part] = _aggregate(join, matches, window, place, column, what)
        return made


def _bounds(join: Interval, matches: _Matches, rows: Rows) -> tuple[Int64Array, Int64Array]:
    """The first place, and the one behind the last, of the matches of each event in its interval (int64 [n])."""
    code = np.array([matches.keys.get(key, -1) for key in rows.key.tolist()], np.int64)
    known = np.unique(matches.time_ns)
    # Key and rank of the time as one number: nanoseconds and keys together would not fit into one.
    ranks = len(known) + 1
    there = matches.key * ranks + np.searchsorted(known, matches.time_ns)
    begin = np.searchsorted(known, rows.time_ns - int(join.before), side="left")
    end = np.searchsorted(known, rows.time_ns + int(join.after), side="right") - 1
    first: Int64Array = np.searchsorted(there, code * ranks + begin, side="left")
    last: Int64Array = np.searchsorted(there, code * ranks + end, side="right")
    return first, last


def _aggregate(
    join: Interval,
    matches: _Matches,
    window: Window,
    place: Int64Array,
    column: str,
    what: Aggregate,
) -> Float64Array:
    """One column of a join (float64 [n])."""
    if what == "count":
        return window.count.astype(np.float64)
    member = window.member
    values = window.values.get(column)
    if values is None:
        known = matches.values.get(column, np.zeros(1))
        known = known if len(known) else np.zeros(1)
        values = window.values[column] = np.where(member, known[place], 0.0)
    if what in ("first", "last"):
        at = (
            np.argmax(member, axis=1)
            if what == "first"
            else window.size - 1 - np.argmax(member[:, ::-1], axis=1)
        )
        return np.where(window.count > 0, values[np.arange(len(values)), at], join.fill)
    return Statistics(window, values, np.zeros(len(values)), join.fill, 0).take(what)  # type: ignore[arg-type]
