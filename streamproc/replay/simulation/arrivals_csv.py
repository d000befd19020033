"""Arrivals from a file: ``arrival_ns[,deadline_ns[,key[,value]]]``, one event a line, sorted."""

import csv
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streamproc.core import ConfigError, Int64Array, Problem
from streamproc.replay.simulation.traffic import Traffic

COLUMNS = ("arrival_ns", "deadline_ns", "key", "value")
_INT64 = range(-(1 << 63), 1 << 63)


def read_arrivals(path: Path, *, budget_ns: int) -> Traffic:
    """Read a file of arrivals.

    The first line may name the columns. An empty ``deadline_ns`` is the arrival plus the budget; an empty
    ``value`` is 1; events with an empty ``key`` are of one key.

    Args:
        path: the file.
        budget_ns: of events that have no deadline of their own.

    Raises:
        ConfigError: it cannot be read, or a line is not of that form.
    """
    arrival: list[int] = []
    deadline: list[int] = []
    keys: list[str] = []
    values: list[float] = []
    width = 0
    for line, cells in _lines(path):
        if not arrival and cells[0].strip() == COLUMNS[0]:
            _check_head(path, line, cells)
            continue
        if len(cells) > len(COLUMNS):
            raise _wrong(path, line, f"has {len(cells)} columns; there are {','.join(COLUMNS)}")
        width = max(width, len(cells))
        came, due, key, value = (*(cell.strip() for cell in cells), "", "", "")[: len(COLUMNS)]
        came_ns = _integer(path, line, COLUMNS[0], came)
        if arrival and came_ns < arrival[-1]:
            raise _wrong(path, line, "is earlier than the line before: sort the file by arrival_ns")
        arrival.append(came_ns)
        deadline.append(_integer(path, line, COLUMNS[1], due) if due else came_ns + budget_ns)
        keys.append(key)
        values.append(_number(path, line, value))
    if not arrival:
        raise ConfigError(Problem("holds no arrivals", origin=str(path)))
    return Traffic(
        arrival_ns=np.array(arrival, np.int64),
        deadline_ns=np.array(deadline, np.int64),
        key=_hashes(keys) if width > COLUMNS.index("key") else None,
        value=np.array(values) if width > COLUMNS.index("value") else None,
    )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise ConfigError(Problem(message, origin=str(path))) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(Problem(f"is no CSV text: {error}", origin=str(path))) from error


def _check_head(path: Path, line: int, cells: list[str]) -> None:
    named = [cell.strip() for cell in cells]
    if named != list(COLUMNS[: len(named)]):
        message = (
            f"names the columns {','.join(named)}; there are {','.join(COLUMNS)}, in this order"
        )
        raise _wrong(path, line, message)


def _integer(path: Path, line: int, name: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value not in _INT64:
        message = f"{name} must be a whole number of ns, such as 1700000000000000000, was {text!r}"
        raise _wrong(path, line, message)
    return value


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text) if text else 1.0
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(path, line, f"value must be a number, such as 2.5, was {text!r}")
    return value


def _hashes(keys: list[str]) -> Int64Array:
    """int64 [n], the same on every machine and in every process."""
    known: dict[str, int] = {}
    for key in keys:
        if key not in known:
            digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
            known[key] = int.from_bytes(digest, "little", signed=True)
    return np.array([known[key] for key in keys], np.int64)


def _wrong(path: Path, line: int, message: str) -> ConfigError:
    return ConfigError(Problem(message, line=line, origin=str(path)))
