"""Texts of many rows, put together of pieces: a column of bytes for each place in the text, joined row by row.

What all rows share is one object repeated, what neighbours share is made once, and the joining is one call of C for
all rows. CPython joins up to ten pieces without asking for memory to note them in, so that a text should have no more.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import sub

import numpy as np
import orjson

from streamproc.core import Array, Int64Array, InvariantError

_FEW = 192
"""So few rows are made one by one in less time than it takes to find out which are alike."""
_COUNTS_MAX = 1 << 14
"""Numbers below it are remembered as text: 0.7 MB."""
_counts: list[bytes] = []


def joined(pieces: Sequence[Iterable[bytes]], count: int) -> list[bytes]:
    """The texts of the rows.

    Args:
        pieces: the columns in the order of the text, each of n pieces or, but for one of them, endless.
        count: n.

    Raises:
        InvariantError: a column is shorter.
    """
    texts = list(map(b"".join, zip(*pieces, strict=False)))  # strict, endless ones would not do
    if len(texts) != count:
        msg = f"{count} rows, but pieces for {len(texts)}"
        raise InvariantError(msg)
    return texts


def run_starts(*columns: Array) -> Int64Array | None:
    """The rows that differ from the row before in any column (int64 [runs], the first row among them).

    Args:
        columns: each [n].

    Returns:
        None where so many differ, or there are so few, that making each by itself is as quick.
    """
    count = len(columns[0])
    if count <= _FEW:
        return None
    differs = np.zeros(count, np.bool_)
    differs[0] = True
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    if 4 * np.count_nonzero(differs) > count:
        return None
    return np.flatnonzero(differs)


def spread(texts: Sequence[bytes], starts: Int64Array, count: int) -> list[bytes]:
    """The text of each run for all its rows (n texts).

    Args:
        texts: one a run.
        starts: int64 [runs], what ``run_starts`` gave.
        count: n.
    """
    ends = [*starts[1:].tolist(), count]
    lengths = map(sub, ends, starts.tolist())
    return list(chain.from_iterable(map(repeat, texts, lengths)))


def number_texts(column: Array) -> list[bytes]:
    """JSON texts of the numbers of a column [n]."""
    if not len(column):
        return []
    column = np.ascontiguousarray(column)  # orjson takes no views
    return orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def count_texts(column: Int64Array) -> list[bytes]:
    """The same of numbers that are mostly small and none below 0, as counts are: a quarter of the time."""
    if not len(column):
        return []
    listed = column.tolist()
    try:
        return list(map(_counts.__getitem__, listed))
    except IndexError:
        most = max(listed)
        if most >= _COUNTS_MAX:
            return number_texts(column)
        _counts.extend(b"%d" % number for number in range(len(_counts), most + 1))
        return list(map(_counts.__getitem__, listed))


def row_texts(matrix: Array) -> list[bytes]:
    """JSON texts of the rows of a matrix [n, d], without their brackets."""
    if not len(matrix):
        return []
    matrix = np.ascontiguousarray(matrix)
    return orjson.dumps(matrix, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")
