"""Labels: what became known later, joined to the events that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from streamproc.core import ConfigError, Int64Array, Problem
from streamproc.replay.training.features import FeatureRows
from streamproc.replay.training.leaks import LeakCount

Table: TypeAlias = Any
"""A ``pyarrow.Table``; pyarrow has no types."""
UNITS_NS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
NONE: Final = -1
"""Stands for an event without a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """How labels find their events.

    Attributes:
        id: the column with the ids of decisions (``topic/partition/offset``); used where the labels have it.
        key: else: the column with the event's key.
        time: the column with the instant at which the label became known.
        unit_ns: of times that are whole numbers.
        horizon_ns: how long after its event a label is known at the earliest.
        within_ns: how much later than that, at most; None for any time. For labels by key.
    """

    id: str = "id"
    key: str = "key"
    time: str = "time"
    unit_ns: int = 1
    horizon_ns: int = 0
    within_ns: int | None = None


class Labels:
    """Labels in memory, and how they are found.

    Args:
        table: a column for each label, and those that they are found by.
        joining: how.
        origin: the file, for messages.

    Raises:
        ConfigError: the columns are not there, or of other types.
    """

    def __init__(self, table: Table, joining: Joining, origin: str) -> None:
        self._joining = joining
        there = table.column_names
        by_id = joining.id in there
        needed = [] if by_id else [joining.key, joining.time]
        if missing := [name for name in needed if name not in there]:
            text = (
                f"has no column {', '.join(map(repr, missing))}: labels are found by {joining.id!r}, or by "
                f"{joining.key!r} and {joining.time!r}; there are {', '.join(there)}"
            )
            raise ConfigError(Problem(text, origin=origin))
        self.time_ns = _times(table, joining, origin) if joining.time in there else None
        used = {joining.id, joining.time} if by_id else {joining.key, joining.time}
        self.values = table.drop_columns([name for name in there if name in used])
        self._by_id: dict[str, int] = {}
        self._by_key: dict[bytes, tuple[Int64Array, Int64Array]] = {}
        if by_id:
            names = table.column(joining.id).to_pylist()
            self._by_id = {str(name): place for place, name in enumerate(names)}
            if len(self._by_id) < len(names):
                text = f"names an id twice in {joining.id!r}: an event has one label"
                raise ConfigError(Problem(text, origin=origin))
        else:
            self._by_key = _grouped(table.column(joining.key).to_pylist(), self.time_ns)
        self._is_by_id = by_id

    def of(self, rows: FeatureRows, ids: Sequence[str], found: LeakCount) -> Int64Array:
        """The place of each event's label in ``values`` (int64 [n]); ``NONE`` where it has none.

        Args:
            rows: the events.
            ids: theirs.
            found: takes labels that were known before their events.
        """
        if not self._is_by_id:
            return self._later(rows)
        place = np.array([self._by_id.get(name, NONE) for name in ids], np.int64)
        if self.time_ns is not None:
            known_ns = self.time_ns[place]
            early = (place != NONE) & (
                known_ns < rows.events.event_time_ns + self._joining.horizon_ns
            )
            why = "it was known before its event"
            if self._joining.horizon_ns:
                why = f"it was known less than {self._joining.horizon_ns / 1e9:g} s after its event, the horizon"
            why += ": a model would learn what it cannot know in time"
            found.add("label", why, [ids[row] for row in np.flatnonzero(early).tolist()])
        return place

    def _later(self, rows: FeatureRows) -> Int64Array:
        """The first label of each event's key from its horizon on."""
        place = np.full(len(rows.events), NONE, np.int64)
        keys = rows.events.key.tolist()
        from_ns = rows.events.event_time_ns + self._joining.horizon_ns
        for key in set(keys):
            times = self._by_key.get(key)
            if times is None:
                continue
            time_ns, places = times
            mine = np.array([row for row, other in enumerate(keys) if other == key], np.int64)
            next_one = np.searchsorted(time_ns, from_ns[mine])
            there = next_one < len(time_ns)
            if self._joining.within_ns is not None:
                at_ns = time_ns[np.minimum(next_one, len(time_ns) - 1)]
                there &= at_ns <= from_ns[mine] + self._joining.within_ns
            place[mine[there]] = places[next_one[there]]
        return place


def read_labels(path: Path, joining: Joining) -> Labels:
    """Labels of a file: ``.csv``, ``.parquet``, ``.jsonl``.

    Raises:
        ConfigError: it cannot be read.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra, looked for before
    import pyarrow.csv  # noqa: PLC0415
    import pyarrow.json  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    readers = {
        ".csv": pa.csv.read_csv,
        ".parquet": pa.parquet.read_table,
        ".jsonl": pa.json.read_json,
    }
    reader = readers.get(path.suffix)
    if reader is None:
        raise ConfigError(Problem("must end with .csv, .parquet or .jsonl", origin=str(path)))
    try:
        table = reader(path)
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(Problem(f"cannot be read: {said}", origin=str(path))) from None
    return Labels(table, joining, str(path))


def _times(table: Table, joining: Joining, origin: str) -> Int64Array:
    import pyarrow as pa  # noqa: PLC0415

    column = table.column(joining.time)
    try:
        if pa.types.is_integer(column.type):
            found: Int64Array = column.cast(pa.int64()).to_numpy() * joining.unit_ns
            return found
        if pa.types.is_string(column.type):
            column = column.cast(pa.timestamp("ns", tz="UTC"))
        if not pa.types.is_timestamp(column.type) or column.null_count:
            raise pa.ArrowInvalid("no instants")
        instants: Int64Array = column.cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64()).to_numpy()
    except pa.ArrowException:
        text = f"column {joining.time!r} holds no instants: write whole numbers (with --label-unit), or 2026-03-01T12:00:00Z"
        raise ConfigError(Problem(text, origin=origin)) from None
    return instants


def _grouped(
    keys: Sequence[object], time_ns: Int64Array | None
) -> dict[bytes, tuple[Int64Array, Int64Array]]:
    """For each key the times, ascending, and their places."""
    assert time_ns is not None  # noqa: S101 - its column was looked for
    places: dict[bytes, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key if isinstance(key, bytes) else str(key).encode(), []).append(place)
    found = {}
    for key, of_key in places.items():
        mine = np.array(of_key, np.int64)
        order = np.argsort(time_ns[mine], kind="stable")
        found[key] = (time_ns[mine][order], mine[order])
    return found
