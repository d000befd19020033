"""Records about events that are not decided: as they came, with what became of them and why."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from streamproc.core import (
    EventBatch,
    Headers,
    Int64Array,
    Outcome,
    OutRecords,
    Reason,
    RecordBatch,
    TopicPartition,
)

OUTCOME_HEADER = "streamproc-outcome"
REASON_HEADER = "streamproc-reason"
SOURCE_HEADER = "streamproc-source"
DETAIL_HEADER = "streamproc-detail"
ROWS_HEADER = "streamproc-rows"
SIZE_HEADER = "streamproc-size"
SHA256_HEADER = "streamproc-sha256"
RECEIPT_HEADER = "streamproc-receipt"
"""Of a record in the dead-letter topic that is no letter: ``partition/offset`` of a letter that was put back."""
OWN_HEADERS = frozenset(
    (
        OUTCOME_HEADER,
        REASON_HEADER,
        SOURCE_HEADER,
        DETAIL_HEADER,
        ROWS_HEADER,
        SIZE_HEADER,
        SHA256_HEADER,
        RECEIPT_HEADER,
    )
)
"""Headers that only we give: a record that comes with one loses it in its letter."""
_DETAIL_CHARACTERS = 1000
_HEADERS_BYTES = 8192
"""Room that a record's other parts are given below the limit: our headers, key and framing."""


_ROWS_CHARACTERS = 4000
"""Of a letter's row numbers; a record with more is sent in several letters."""


@dataclass(frozen=True, slots=True)
class Originals:
    """Records as they came, each once, whatever the number of its events.

    Attributes:
        offset: their offsets.
        key: their keys.
        value: their values.
        headers: their headers, () where there are none.
        rows: which of their rows are meant, such as ``0-16,40``; empty where a record is one event.
        details: for each, what was wrong in words; empty for none.
        arm: int64 [n], of each of their events, the model that was to decide about it; None where there is one.
    """

    offset: Sequence[int]
    key: list[bytes | None] = field(repr=False)
    value: list[bytes | None] = field(repr=False)
    headers: Sequence[Headers] = field(repr=False)
    rows: Sequence[str] = ()
    details: Sequence[str] = field(default=(), repr=False)
    arm: Int64Array | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.offset)

    @classmethod
    def of(cls, events: EventBatch, detail: str = "") -> "Originals":
        """The records that events of one partition came in; all have the same detail."""
        firsts, rows = _by_record(events.ordinal, events.row)
        numbers = events.number[firsts].tolist()
        return cls(
            events.offset[firsts].tolist(),
            events.record_key[firsts].tolist(),
            events.value[firsts].tolist(),
            [events.headers.get(n, ()) for n in numbers],
            rows,
            [detail] * len(firsts) if detail else (),
            events.arm,
        )

    @classmethod
    def of_records(
        cls, batch: RecordBatch, record: Int64Array, row: Int64Array | None = None, detail: str = ""
    ) -> "Originals":
        """Records of a fetched batch.

        Args:
            batch: the batch.
            record: int64 [n], which of its records, ascending, repeated for several rows.
            row: int64 [n], which of their rows; None where a record is one event.
            detail: what was wrong, of all of them.
        """
        firsts, rows = _by_record(record, row)
        chosen = record[firsts].tolist()
        return cls(
            batch.offset[chosen].tolist(),
            [batch.key[i] for i in chosen],
            [batch.value[i] for i in chosen],
            [batch.headers.get(i, ()) for i in chosen],
            rows,
            [detail] * len(chosen) if detail else (),
        )

    @classmethod
    def joined(cls, several: Sequence["Originals"]) -> "Originals":
        """One behind the other."""
        return cls(
            [offset for one in several for offset in one.offset],
            [key for one in several for key in one.key],
            [value for one in several for value in one.value],
            [headers for one in several for headers in one.headers],
            [rows for one in several for rows in one.rows or [""] * len(one)],
            [detail for one in several for detail in one.details or [""] * len(one)],
        )


def _by_record(record: Int64Array, row: Int64Array | None) -> tuple[Int64Array, list[str]]:
    """The first place of each record in a column (int64 [m]), and the rows there are of it as text."""
    if row is None:
        return np.arange(len(record)), []
    begins = np.flatnonzero(np.diff(record, prepend=-1))
    firsts: list[int] = []
    texts: list[str] = []
    for start, stop in pairwise([*begins.tolist(), len(record)]):
        for text in _row_texts(np.sort(row[start:stop])):
            firsts.append(start)
            texts.append(text)
    return np.array(firsts, np.int64), texts


def _row_texts(row: Int64Array) -> Iterator[str]:
    """Ascending row numbers as ``0-16,40``, in texts of a bounded length."""
    cuts = np.flatnonzero(np.diff(row) != 1) + 1
    text = ""
    for part in np.split(row, cuts):
        first, last = int(part[0]), int(part[-1])
        more = str(first) if first == last else f"{first}-{last}"
        if text and len(text) + len(more) >= _ROWS_CHARACTERS:
            yield text
            text = ""
        text = f"{text},{more}" if text else more
    yield text


def letters(
    topic: str,
    source: TopicPartition,
    records: Originals,
    *,
    outcome: Outcome,
    reason: Reason | str,
    bytes_max: int,
    redact: Callable[[str], str] = str,
) -> OutRecords:
    """Records for the dead-letter or shed topic.

    Each keeps its key, value and headers and gains ``streamproc-outcome``, ``-reason``, ``-source``
    (``topic/partition/offset``), ``-detail``, and ``-rows`` where only some of its rows are meant. A value that does not fit is left out; its size and
    sha256 stand in the headers. Headers and a key that do not fit even so are left out too: a letter
    that nobody can send would stop the pipeline for ever.

    Args:
        topic: where they go.
        source: the partition that they came from.
        records: what they were.
        outcome: what became of them.
        reason: why.
        bytes_max: the largest record that may be sent.
        redact: takes secrets out of a detail: an exception of the user's code may hold one.
    """
    room = bytes_max - _HEADERS_BYTES
    row_headers: dict[int, Headers] = {}
    keys, values = list(records.key), list(records.value)
    for row, (offset, headers) in enumerate(zip(records.offset, records.headers, strict=True)):
        kept: list[tuple[str, bytes | None]] = [h for h in headers if h[0] not in OWN_HEADERS]
        own = [(SOURCE_HEADER, f"{source.topic}/{source.partition}/{offset}".encode())]
        if records.rows and records.rows[row]:
            own.append((ROWS_HEADER, records.rows[row].encode()))
        if records.details:
            # An exception's text may hold what UTF-8 cannot.
            detail = redact(records.details[row])[:_DETAIL_CHARACTERS].encode(errors="replace")
            own.append((DETAIL_HEADER, detail))
        value, key = values[row], keys[row]
        beside = len(key or b"") + sum(len(name) + len(v or b"") for name, v in kept)
        if value is not None and len(value) + beside > room:
            own.append((SIZE_HEADER, str(len(value)).encode()))
            own.append((SHA256_HEADER, hashlib.sha256(value).hexdigest().encode()))
            values[row] = None
        if beside > room:
            kept = []
            if len(key or b"") > room:
                keys[row] = None
        row_headers[row] = [*kept, *own]
    shared = ((OUTCOME_HEADER, outcome.word.encode()), (REASON_HEADER, str(reason).encode()))
    return OutRecords(topic, source, keys, values, shared, row_headers)
