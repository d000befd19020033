"""The events of a capture in the order of their coordinates, in bounded memory."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from streamproc.core import ExternalError
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.diff.ended import EndedEvent, Told

CACHE_KIB = 32 << 10
"""What SQLite keeps in memory of one side; the rest is in a file. A million events with their decisions
are some 500 MB there, and are read in order, so that more memory would gain nothing."""

_TABLES = """
CREATE TABLE ended (topic TEXT, partition INTEGER, offset INTEGER, row INTEGER,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, latency_ns INTEGER,
    PRIMARY KEY (topic, partition, offset, row)) WITHOUT ROWID;
CREATE TABLE decided (topic TEXT, partition INTEGER, offset INTEGER, row INTEGER, value BLOB NOT NULL,
    PRIMARY KEY (topic, partition, offset, row)) WITHOUT ROWID;
"""
_IN_ORDER = """
SELECT topic, partition, offset, row, outcome, reason, latency_ns, value
FROM ended LEFT JOIN decided USING (topic, partition, offset, row)
ORDER BY topic, partition, offset, row
"""


class SortedEvents:
    """The events of one side, sorted on disk by SQLite; closed, the file is gone.

    A capture tells of an event in several places and in the order of the ends, which differs from side to
    side. A table without row ids is a B-tree in the order of its key, so that two of them are merged by reading
    both from their beginnings.

    Args:
        told: what the capture tells.
        folder: where the file may lie; it exists.
        name: of the file, unique there.

    Attributes:
        repeats: how often an event ended again, such as after a crash; its last end counts.

    Raises:
        ExternalError: the folder is full, or cannot be written to.
    """

    def __init__(self, told: Told, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.sqlite"
        try:
            self._database = sqlite3.connect(self._path, isolation_level=None)
            self.repeats = self._fill(told)
        except sqlite3.Error as error:
            self._path.unlink(missing_ok=True)
            msg = f"events cannot be sorted in {folder}: {error}; TMPDIR names another folder"
            raise ExternalError(msg) from error

    def __iter__(self) -> Iterator[EndedEvent]:
        for *place, outcome, reason, latency_ns, value in self._database.execute(_IN_ORDER):
            yield EndedEvent(Coordinates(*place), outcome, reason, latency_ns, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _fill(self, told: Told) -> int:
        """Write all events; gives how many are repeats."""
        run = self._database.execute
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            run(f"PRAGMA {setting}")
        self._database.executescript(_TABLES)
        run("BEGIN")
        written = self._database.executemany(
            "INSERT OR REPLACE INTO ended VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (*one.coordinates, one.outcome, one.reason, one.latency_ns)
                for one in told.outcomes()
            ),
        ).rowcount
        (kept,) = run("SELECT count(*) FROM ended").fetchone()
        for one in told.decisions():
            if one.value is not None:
                run(
                    "INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?, ?)",
                    (*one.coordinates, one.value),
                )
            # A recording from beside the service has no outcomes, and one that was cut may lack some.
            unknown = (*one.coordinates, one.outcome, one.reason)
            run("INSERT OR IGNORE INTO ended VALUES (?, ?, ?, ?, ?, ?, NULL)", unknown)
        run("COMMIT")
        return max(0, written - int(kept))
