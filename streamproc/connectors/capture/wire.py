"""Values to protobuf bytes and back."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from streamproc.connectors.capture.messages import (
    Comparisons,
    Gap,
    OutcomeColumns,
    RecordedDecision,
    ScheduleEntry,
    SentBatch,
)
from streamproc.connectors.capture.schema import message_class
from streamproc.core import Headers, Int64Array, Outcome, RecordBatch, TopicPartition

_RECORD: Final = message_class("KafkaRecord")
_HEADER: Final = message_class("Header")
_BATCH: Final = message_class("FetchedBatch")
_DECISION: Final = message_class("Decision")
_OUTCOMES: Final = message_class("Outcomes")
_COMPARISONS: Final = message_class("Comparisons")
_SCHEDULE: Final = message_class("Schedule")
_GAP: Final = message_class("Gap")
_EVENT_TIMES: Final = ("event_time_ns", "arrival_ns", "admitted_ns", "deadline_ns")
_RUN_TIMES: Final = ("started_ns", "decided_ns", "handed_ns")
_OUTCOME_OF: Final = {outcome.word: outcome for outcome in Outcome}


def encode_records(batch: RecordBatch) -> Iterator[bytes]:
    """The batch's records, one message each.

    What all have is serialised once: two messages one behind the other are, to every reader of protobuf, one with
    the fields of both.
    """
    topic, partition = batch.source
    shared: bytes = _RECORD(
        topic=topic, partition=partition, timestamp_type=batch.timestamp_type
    ).SerializeToString()
    columns = zip(
        batch.offset.tolist(), batch.timestamp_ns.tolist(), batch.key, batch.value, strict=True
    )
    headers = batch.headers
    for row, (offset, timestamp_ns, key, value) in enumerate(columns):
        made = _RECORD(
            offset=offset,
            timestamp_ns=None if timestamp_ns < 0 else timestamp_ns,
            key=key,
            value=value,
        )
        if row in headers:
            made.headers.extend(_headers(headers[row]))
        if not row:
            made.batch.records = len(batch)
            made.batch.end_position = batch.end_position
            made.batch.behind = batch.behind
        yield shared + made.SerializeToString()


def encode_sent(sent: SentBatch, lanes: Sequence[str], variants: Sequence[str]) -> Iterator[bytes]:
    """The same messages as of its decisions one by one; arguments as of ``SentBatch.decisions``."""
    if sent.offset is None or not isinstance(sent.lane, int):
        yield from map(encode_decision, sent.decisions(lanes, variants))
        return
    first = next(sent.decisions(lanes, variants))
    shared = encode_decision(
        first._replace(offset=None, row=None, key=None, value=None, headers=sent.headers)
    )
    rows = [None] * len(sent) if sent.row is None else sent.row.tolist()
    headers = sent.row_headers
    columns = zip(sent.offset.tolist(), rows, sent.key, sent.value, strict=True)
    for place, (offset, row, key, value) in enumerate(columns):
        made = _DECISION(source_offset=offset, key=key, value=value)
        if row is not None and row >= 0:
            made.row = row
        if place in headers:
            made.headers.extend(_headers(headers[place]))
        yield shared + made.SerializeToString()


def decode_record(data: bytes) -> Any:  # noqa: ANN401 - made at run time
    """A ``KafkaRecord`` message.

    Raises:
        DecodeError: the bytes are none.
    """
    return _RECORD.FromString(data)


def batch_of(records: Sequence[Any], log_time_ns: int) -> RecordBatch:
    """Records of one partition, the first of which tells of its fetch, as a batch."""
    first, last = records[0], records[-1]
    told = first.batch if first.HasField("batch") else None
    whole = told is not None and told.records == len(records)
    return RecordBatch(
        source=TopicPartition(first.topic, first.partition),
        offset=np.array([r.offset for r in records], np.int64),
        timestamp_ns=np.array(
            [r.timestamp_ns if r.HasField("timestamp_ns") else -1 for r in records], np.int64
        ),
        key=[r.key if r.HasField("key") else None for r in records],
        value=[r.value if r.HasField("value") else None for r in records],
        headers={row: read_headers(r) for row, r in enumerate(records) if r.headers},
        arrival_ns=log_time_ns,
        end_position=told.end_position if told is not None and whole else last.offset + 1,
        behind=told.behind if told is not None else 0,
        timestamp_type=first.timestamp_type,
    )


def encode_decision(decision: RecordedDecision) -> bytes:
    """One message."""
    partition, offset = decision.position or (None, None)
    made = _DECISION(
        topic=decision.topic,
        partition=partition,
        offset=offset,
        source_topic=decision.source.topic,
        source_partition=decision.source.partition,
        source_offset=decision.offset,
        row=decision.row,
        outcome=decision.outcome.word,
        reason=decision.reason,
        lane=decision.lane,
        variant=decision.variant,
        key=decision.key,
        value=decision.value,
    )
    if decision.headers:
        made.headers.extend(_headers(decision.headers))
    data: bytes = made.SerializeToString()
    return data


def decode_decision(data: bytes, log_time_ns: int) -> RecordedDecision:
    """The decision of a message.

    Raises:
        DecodeError: the bytes are none.
        KeyError: its outcome is unknown.
    """
    made = _DECISION.FromString(data)
    return RecordedDecision(
        log_time_ns,
        made.topic,
        TopicPartition(made.source_topic, made.source_partition),
        _given(made, "source_offset"),
        _given(made, "row"),
        _OUTCOME_OF[made.outcome],
        made.reason,
        made.lane,
        made.variant,
        _given(made, "key"),
        _given(made, "value"),
        read_headers(made),
        (made.partition, made.offset) if made.HasField("offset") else None,
    )


def encode_outcomes(outcomes: OutcomeColumns) -> bytes:
    """One message."""
    made = _OUTCOMES(
        topic=outcomes.source.topic,
        partition=outcomes.source.partition,
        offset=outcomes.offset.tolist(),
        row=None if outcomes.row is None else outcomes.row.tolist(),
        outcome=outcomes.outcome.astype(np.uint8).tobytes(),
        reason=outcomes.reason,
        lane=[outcomes.lane] if isinstance(outcomes.lane, int) else _short(outcomes.lane),
        variant=outcomes.variant,
        acknowledged_ns=outcomes.acknowledged_ns,
    )
    for name in _EVENT_TIMES:
        column = getattr(outcomes, name)
        if column is not None:
            getattr(made, name).extend(column.tolist())
    for name in _RUN_TIMES:
        instant_ns = getattr(outcomes, name)
        if instant_ns is not None:
            setattr(made, name, instant_ns)
    data: bytes = made.SerializeToString()
    return data


def decode_outcomes(data: bytes) -> OutcomeColumns:
    """The columns of a message.

    Raises:
        DecodeError: the bytes are none.
    """
    made = _OUTCOMES.FromString(data)
    count = len(made.offset)
    lane = np.array(made.lane or [0], np.int64)
    event_times: dict[str, Any] = {name: _column(getattr(made, name)) for name in _EVENT_TIMES}
    run_times: dict[str, Any] = {name: _given(made, name) for name in _RUN_TIMES}
    return OutcomeColumns(
        source=TopicPartition(made.topic, made.partition),
        offset=np.array(made.offset, np.int64),
        row=_column(made.row),
        outcome=np.frombuffer(made.outcome, np.uint8),
        reason=made.reason,
        lane=lane if len(lane) == count else np.full(count, lane[0]),
        variant=_given(made, "variant"),
        acknowledged_ns=made.acknowledged_ns,
        **event_times,
        **run_times,
    )


def encode_comparisons(compared: Comparisons) -> bytes:
    """One message."""
    data: bytes = _COMPARISONS(
        topic=compared.source.topic,
        partition=compared.source.partition,
        offset=compared.offset.tolist(),
        row=None if compared.row is None else compared.row.tolist(),
        candidate=compared.candidate,
        model=compared.model,
        published=compared.published,
        by_model=compared.by_model,
        by_candidate=compared.by_candidate,
        differs=compared.differs.astype(np.uint8).tobytes(),
    ).SerializeToString()
    return data


def decode_comparisons(data: bytes, log_time_ns: int) -> Comparisons:
    """The comparisons of a message.

    Raises:
        DecodeError: the bytes are none.
    """
    made = _COMPARISONS.FromString(data)
    return Comparisons(
        log_time_ns,
        TopicPartition(made.topic, made.partition),
        np.array(made.offset, np.int64),
        _column(made.row),
        made.candidate,
        made.model,
        made.published,
        list(made.by_model),
        list(made.by_candidate),
        np.frombuffer(made.differs, np.bool_),
    )


def encode_schedule(data: bytes, version: int) -> bytes:
    """One message."""
    found: bytes = _SCHEDULE(version=version, data=data).SerializeToString()
    return found


def decode_schedule(data: bytes, log_time_ns: int) -> ScheduleEntry:
    """The entry of a message."""
    made = _SCHEDULE.FromString(data)
    return ScheduleEntry(log_time_ns, made.version, made.data)


def encode_gap(gap: Gap) -> bytes:
    """One message."""
    made = _GAP(
        start_ns=gap.start_ns, end_ns=gap.end_ns, reason=gap.reason, dropped=dict(gap.dropped)
    )
    data: bytes = made.SerializeToString()
    return data


def decode_gap(data: bytes) -> Gap:
    """The gap of a message."""
    made = _GAP.FromString(data)
    return Gap(made.start_ns, made.end_ns, made.reason, dict(made.dropped))


def read_headers(message: Any) -> Headers:  # noqa: ANN401 - made at run time
    """A message's headers, in their order."""
    return [(header.name, _given(header, "value")) for header in message.headers]


def _headers(headers: Headers) -> Iterable[Any]:
    return (_HEADER(name=name, value=value) for name, value in headers)


def _given(message: Any, name: str) -> Any:  # noqa: ANN401
    return getattr(message, name) if message.HasField(name) else None


def _column(values: Sequence[int]) -> Int64Array | None:
    return np.array(values, np.int64) if len(values) else None


def _short(column: Int64Array) -> list[int]:
    """One number where all are the same."""
    values: list[int] = column.tolist()
    return values[:1] if len(set(values)) == 1 else values
