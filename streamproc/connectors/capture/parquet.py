"""A recording as Parquet: one file of records, one of decisions, one of outcomes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from streamproc.connectors.capture.messages import OutcomeColumns, RecordedDecision
from streamproc.connectors.capture.metadata import CaptureMetadata
from streamproc.connectors.capture.reader import CaptureReader
from streamproc.core import ConfigError, Headers, Outcome, RecordBatch

ROWS: Final = 65_536
"""Of a row group: what is in memory at a time."""


def export_parquet(capture: CaptureReader, folder: Path) -> dict[str, int]:
    """Write ``records.parquet``, ``decisions.parquet`` and ``outcomes.parquet``, as far as there are any.

    Args:
        capture: the recording.
        folder: where to; made where it does not exist.

    Returns:
        The rows by file name.

    Raises:
        ConfigError: pyarrow is not installed, or a file is there already.
        OSError: they cannot be written.
    """
    tables = _Tables(_pyarrow(), capture.metadata)
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, int] = {}
    for name, schema, parts in (
        ("records", tables.records, map(tables.of_records, capture.records())),
        ("decisions", tables.decisions, map(tables.of_decisions, _some(capture.decisions()))),
        ("outcomes", tables.outcomes, map(tables.of_outcomes, capture.outcomes())),
    ):
        path = folder / f"{name}.parquet"
        if path.exists():
            msg = f"{path} is there already: remove it, or export to another folder"
            raise ConfigError(msg)
        count = tables.write(path, schema, parts)
        if count:
            written[path.name] = count
    return written


def _pyarrow() -> Any:  # noqa: ANN401 - a module
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        msg = "Parquet needs pyarrow: pip install 'streamproc[arrow]'"
        raise ConfigError(msg) from error
    return pa


class _Tables:
    """Makes Arrow's batches of what a recording tells."""

    def __init__(self, pa: Any, metadata: CaptureMetadata) -> None:  # noqa: ANN401 - a module
        self._pa = pa
        self._lanes = np.array([*metadata.lanes, ""], np.object_)  # -1 takes the last: unknown
        self._variants = [model.variant for model in metadata.models]
        instant = pa.timestamp("ns", tz="UTC")
        header = pa.struct([("name", pa.string()), ("value", pa.binary())])
        word = pa.dictionary(pa.int32(), pa.string())
        content = [("key", pa.binary()), ("value", pa.binary()), ("headers", pa.list_(header))]
        self.records = pa.schema([
            ("topic", word), ("partition", pa.int32()), ("offset", pa.int64()),
            ("timestamp", instant), ("timestamp_type", pa.int8()), *content, ("consumed", instant),
        ])  # fmt: skip
        self.decisions = pa.schema([
            ("sent", instant), ("topic", word), ("id", pa.string()), ("source_topic", word),
            ("source_partition", pa.int32()), ("source_offset", pa.int64()), ("row", pa.int32()),
            ("outcome", word), ("reason", word), ("lane", word), ("variant", word), *content,
        ])  # fmt: skip
        instants = ("event_time", "arrival", "admitted", "deadline", "started", "decided", "handed")
        self.outcomes = pa.schema([
            ("topic", word), ("partition", pa.int32()), ("offset", pa.int64()), ("row", pa.int32()),
            ("outcome", word), ("reason", word), ("lane", word), ("variant", word),
            *((name, instant) for name in (*instants, "acknowledged")),
        ])  # fmt: skip

    def of_records(self, batch: RecordBatch) -> dict[str, Any]:
        """A batch of records."""
        count = len(batch)
        return {
            "topic": [batch.source.topic] * count,
            "partition": [batch.source.partition] * count,
            "offset": batch.offset.tolist(),
            "timestamp": [None if t < 0 else t for t in batch.timestamp_ns.tolist()],
            "timestamp_type": [batch.timestamp_type] * count,
            "key": batch.key,
            "value": batch.value,
            "headers": [_headers(batch.headers.get(row, ())) for row in range(count)],
            "consumed": [batch.arrival_ns] * count,
        }

    def of_decisions(self, decisions: Sequence[RecordedDecision]) -> dict[str, Any]:
        """Decisions."""
        return {
            "sent": [d.log_time_ns for d in decisions],
            "topic": [d.topic for d in decisions],
            "id": [d.id for d in decisions],
            "source_topic": [d.source.topic for d in decisions],
            "source_partition": [d.source.partition for d in decisions],
            "source_offset": [d.offset for d in decisions],
            "row": [d.row for d in decisions],
            "outcome": [d.outcome.word for d in decisions],
            "reason": [d.reason for d in decisions],
            "lane": [d.lane for d in decisions],
            "variant": [d.variant for d in decisions],
            "key": [d.key for d in decisions],
            "value": [d.value for d in decisions],
            "headers": [_headers(d.headers) for d in decisions],
        }

    def of_outcomes(self, columns: OutcomeColumns) -> dict[str, Any]:
        """Events that ended together."""
        count = len(columns)
        words = [outcome.word for outcome in Outcome]
        variant = columns.variant
        known = variant is not None and variant < len(self._variants)
        lane = np.clip(columns.lane, -1, len(self._lanes) - 1)
        return {
            "topic": [columns.source.topic] * count,
            "partition": [columns.source.partition] * count,
            "offset": columns.offset.tolist(),
            "row": [None] * count if columns.row is None else columns.row.tolist(),
            "outcome": [words[code] for code in columns.outcome.tolist()],
            "reason": [columns.reason] * count,
            "lane": np.broadcast_to(self._lanes[lane], count).tolist(),
            "variant": [self._variants[variant or 0] if known else None] * count,
            "event_time": _each(columns.event_time_ns, count),
            "arrival": _each(columns.arrival_ns, count),
            "admitted": _each(columns.admitted_ns, count),
            "deadline": _each(columns.deadline_ns, count),
            "started": _each(columns.started_ns, count),
            "decided": _each(columns.decided_ns, count),
            "handed": _each(columns.handed_ns, count),
            "acknowledged": [columns.acknowledged_ns] * count,
        }

    def write(self, path: Path, schema: Any, parts: Iterable[dict[str, Any]]) -> int:  # noqa: ANN401
        """Write a file; gives its rows, and makes none where there are none."""
        pa = self._pa
        total = 0
        writer: Any = None
        try:
            for columns in _gathered(parts):
                if writer is None:
                    writer = pa.parquet.ParquetWriter(path, schema, compression="zstd")
                arrays = [pa.array(columns[field.name], field.type) for field in schema]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                total += len(arrays[0])
        finally:
            if writer is not None:
                writer.close()
        return total


def _gathered(parts: Iterable[dict[str, Any]]) -> Iterator[dict[str, list[Any]]]:
    """Small parts put together to row groups."""
    held: dict[str, list[Any]] = {}
    count = 0
    for part in parts:
        for name, column in part.items():
            held.setdefault(name, []).extend(column)
        count = len(next(iter(held.values())))
        if count >= ROWS:
            yield held
            held, count = {}, 0
    if count:
        yield held


def _some(decisions: Iterator[RecordedDecision]) -> Iterator[list[RecordedDecision]]:
    take: Callable[[], list[RecordedDecision]] = lambda: list(islice(decisions, 1024))  # noqa: E731
    return iter(take, [])


def _each(times: Any, count: int) -> list[int | None]:  # noqa: ANN401 - a column, a number, or None
    if times is None or isinstance(times, int):
        return [times] * count
    found: list[int | None] = times.tolist()
    return found


def _headers(headers: Headers) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in headers]
