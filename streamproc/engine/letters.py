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
    sha256 stand in the headers.

    Args:
        topic: where they go.
        source: the partition that they came from.
        records: what they were.
        outcome: what became of them.
        reason: why.
        details: for each, what was wrong in words; empty for none.
        bytes_max: the largest record that may be sent.
    """
    row_headers: dict[int, Headers] = {}
    values: list[bytes | None] = []
    for row, (offset, value, headers) in enumerate(
        zip(records.offset, records.value, records.headers, strict=True)
    ):
        own: list[tuple[str, bytes | None]] = [h for h in headers if h[0] not in _OWN_HEADERS]
        own.append((SOURCE_HEADER, f"{source.topic}/{source.partition}/{offset}".encode()))
        if details:
            own.append((DETAIL_HEADER, details[row][:_DETAIL_CHARACTERS].encode()))
        if value is not None and len(value) + _HEADERS_BYTES > bytes_max:
            own.append((SIZE_HEADER, str(len(value)).encode()))
            own.append((SHA256_HEADER, hashlib.sha256(value).hexdigest().encode()))
            value = None  # noqa: PLW2901 - what is sent in its place
        row_headers[row] = own
        values.append(value)
    shared = ((OUTCOME_HEADER, outcome.word.encode()), (REASON_HEADER, str(reason).encode()))
    return OutRecords(topic, source, records.key, values, shared, row_headers)
