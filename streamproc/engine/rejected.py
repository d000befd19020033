"""Events that cannot be decided, as the intake finds them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streamproc.codecs import Decoded
from streamproc.core import Int64Array, RecordError


class Rejected(NamedTuple):
    """Events that cannot be decided, all for the same reason.

    Attributes:
        record: int64 [k], which of the batch's records each came in, ascending.
        row: int64 [k], their rows within their records; None where each is a whole record.
        error: what is wrong with them.
    """

    record: Int64Array
    row: Int64Array | None
    error: RecordError


def in_order(rejected: Sequence[Rejected]) -> list[Rejected]:
    """The same events in the order of their records, cut where another error comes between."""
    record = np.concatenate([some.record for some in rejected])
    which = np.repeat(np.arange(len(rejected)), [len(some.record) for some in rejected])
    # Their rows stay in order: those of one error are ascending, and the sort is stable.
    order = np.argsort(record, kind="stable")
    rows = [np.full(len(some.record), -1) if some.row is None else some.row for some in rejected]
    row = np.concatenate(rows)[order]
    record, which = record[order], which[order]
    cuts = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(record)]
    found = []
    for start, stop in pairwise(cuts):
        some = rejected[int(which[start])]
        part = None if some.row is None else row[start:stop]
        found.append(Rejected(record[start:stop], part, some.error))
    return found


def held_by(decoded: Decoded, rejected: Sequence[Rejected], records: int) -> Int64Array:
    """How many events each record held (int64 [records])."""
    held = np.zeros(records, np.int64)
    if decoded.record is not None:
        held += np.bincount(decoded.record, minlength=records)
    for some in rejected:
        held[some.record[0]] += len(some.record)
    return np.maximum(held, 1)
