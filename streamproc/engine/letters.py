"""Records about events that are not decided: as they came, with what became of them and why."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from streamproc.core import (
    EventBatch,
    Headers,
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
SIZE_HEADER = "streamproc-size"
SHA256_HEADER = "streamproc-sha256"
_OWN_HEADERS = frozenset(
    (OUTCOME_HEADER, REASON_HEADER, SOURCE_HEADER, DETAIL_HEADER, SIZE_HEADER, SHA256_HEADER)
)
_DETAIL_CHARACTERS = 1000
_HEADERS_BYTES = 8192
"""Room that a record's other parts are given below the limit: our headers, key and framing."""


@dataclass(frozen=True, slots=True)
class Originals:
    """Records as they came.

    Attributes:
        offset: their offsets.
        key: their keys.
        value: their values.
        headers: their headers, () where there are none.
    """

    offset: Sequence[int]
    key: list[bytes | None]
    value: list[bytes | None]
    headers: Sequence[Headers]

    @classmethod
    def of(cls, events: EventBatch) -> "Originals":
        """The records that events came in."""
        numbers = events.number.tolist()
        return cls(
            events.offset.tolist(),
            events.record_key.tolist(),
            events.value.tolist(),
            [events.headers.get(n, ()) for n in numbers],
        )

    @classmethod
    def of_records(cls, batch: RecordBatch, rows: Sequence[int]) -> "Originals":
        """Records of a fetched batch, by row."""
        return cls(
            batch.offset[rows].tolist(),
            [batch.key[row] for row in rows],
            [batch.value[row] for row in rows],
            [batch.headers.get(row, ()) for row in rows],
        )


def letters(
    topic: str,
    source: TopicPartition,
    records: Originals,
    *,
    outcome: Outcome,
    reason: Reason | str,
    details: Sequence[str],
    bytes_max: int,
) -> OutRecords:
    """Records for the dead-letter or shed topic.

    Each keeps its key, value and headers and gains ``streamproc-outcome``, ``-reason``, ``-source``
    (``topic/partition/offset``) and ``-detail``. A value that does not fit is left out; its size and
    sha256 stand in the headers. Headers and a key that do not fit even so are left out too: a letter
    that nobody can send would stop the pipeline for ever.

    Args:
        topic: where they go.
        source: the partition that they came from.
        records: what they were.
        outcome: what became of them.
        reason: why.
        details: for each, what was wrong in words; empty for none.
        bytes_max: the largest record that may be sent.
    """
    room = bytes_max - _HEADERS_BYTES
    row_headers: dict[int, Headers] = {}
    keys, values = list(records.key), list(records.value)
    for row, (offset, headers) in enumerate(zip(records.offset, records.headers, strict=True)):
        kept: list[tuple[str, bytes | None]] = [h for h in headers if h[0] not in _OWN_HEADERS]
        own = [(SOURCE_HEADER, f"{source.topic}/{source.partition}/{offset}".encode())]
        if details:
            # An exception's text may hold what UTF-8 cannot.
            detail = details[row][:_DETAIL_CHARACTERS].encode(errors="replace")
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
