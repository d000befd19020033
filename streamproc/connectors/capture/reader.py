"""Reads recordings, with memory that does not grow with them, also those that were cut at any byte."""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.message import DecodeError
from mcap.summary import Summary

from streamproc.connectors.capture.messages import (
    DECISIONS,
    GAPS,
    OUTCOMES,
    RECORDS,
    SCHEDULE,
    TABLES,
    Gap,
    OutcomeColumns,
    RecordedDecision,
    ScheduleEntry,
)
from streamproc.connectors.capture.metadata import CaptureMetadata
from streamproc.connectors.capture.scan import McapScan, RawMessage, summary_of
from streamproc.connectors.capture.table_wire import decode_table
from streamproc.connectors.capture.wire import (
    batch_of,
    decode_decision,
    decode_gap,
    decode_outcomes,
    decode_record,
    decode_schedule,
)
from streamproc.core import ConfigError, RecordBatch, TableRows, TablesSeen

BATCH_MAX: Final = 4_096
"""Records of a file of another writer, which does not tell of fetches, are handed on by so many."""
_DAMAGED: Final = (DecodeError, KeyError, ValueError)


@dataclass(frozen=True, slots=True)
class CaptureSummary:
    """What is in a recording.

    Attributes:
        first_ns: the first instant of all channels; None where there are no messages.
        last_ns: the last one.
        counts: messages by channel: records, decisions, batches of outcomes.
        gaps: what is known to be missing.
        truncated: what is missing because a file was cut or is damaged, in words; None where all are complete.
        bytes_total: of the files.
        files: their names, in the order in which they are read.
    """

    first_ns: int | None
    last_ns: int | None
    counts: dict[str, int]
    gaps: tuple[Gap, ...]
    truncated: str | None
    bytes_total: int
    files: tuple[Path, ...] = ()

    @property
    def records_total(self) -> int:
        """Records of all partitions."""
        return sum(count for name, count in self.counts.items() if name.startswith(RECORDS))

    @property
    def topics(self) -> list[str]:
        """The topics whose records are in it."""
        names = (name[len(RECORDS) :] for name in self.counts if name.startswith(RECORDS))
        return sorted({name.rpartition("/")[0] for name in names})

    @property
    def tables(self) -> list[str]:
        """The lookups whose tables are in it."""
        return sorted(name[len(TABLES) :] for name in self.counts if name.startswith(TABLES))


@dataclass(slots=True)
class _File:
    path: Path
    metadata: CaptureMetadata
    summary: Summary | None
    channels: dict[int, str] = field(default_factory=dict)


class CaptureReader:
    """A recording of one file or several: rotated ones are read one after the other, those of several workers merged.

    Each pass (``records``, ``decisions`` ...) reads the files anew, a chunk at a time.

    Args:
        path: a file, a folder of files, or a list of files; ``.mcap.part`` of a recorder that was killed too.

    Raises:
        ConfigError: there is no such file, or it is no recording.
    """

    def __init__(self, path: str | Path | Sequence[str | Path]) -> None:
        self._files = [_opened(found) for found in _paths(path)]
        self._files.sort(key=lambda f: (f.metadata.started_ns, f.metadata.part, f.path.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open between passes."""

    @property
    def metadata(self) -> CaptureMetadata:
        """What the recording says of itself: its first file's."""
        return self._files[0].metadata

    @cached_property
    def summary(self) -> CaptureSummary:
        """What is in it; a file that was cut is read through for it."""
        counts: dict[str, int] = {}
        times: list[int] = []
        missing: list[str] = []
        for file in self._files:
            if file.summary is None or file.summary.statistics is None:
                missing += self._count(file, counts, times)
                continue
            told = file.summary.statistics
            for number, count in told.channel_message_counts.items():
                name = file.channels.get(number, "")
                counts[name] = counts.get(name, 0) + count
            if told.message_count:
                times += (told.message_start_time, told.message_end_time)
        return CaptureSummary(
            min(times, default=None),
            max(times, default=None),
            counts,
            tuple(self.gaps()) if counts.get(GAPS) else (),
            "; ".join(missing) or None,
            sum(file.path.stat().st_size for file in self._files),
            tuple(file.path for file in self._files),
        )

    def records(
        self,
        topics: Collection[str] | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Iterator[RecordBatch]:
        """What the fetches gave, each a batch as it was, in the order in which they were consumed.

        Args:
            topics: only those of these; None for all.
            start_ns: only what was consumed from this instant on.
            end_ns: only what was consumed before this instant.
        """

        def wanted(channel: str) -> bool:
            if not channel.startswith(RECORDS):
                return False
            return topics is None or channel[len(RECORDS) :].rpartition("/")[0] in topics

        return self._merged(
            lambda file: _batches(self._pass(file, wanted, start_ns, end_ns)),
            key=lambda batch: batch.arrival_ns,
        )

    def decisions(
        self, start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RecordedDecision]:
        """What was sent, in the order in which it was."""

        def read(file: _File) -> Iterator[RecordedDecision]:
            for raw in self._pass(file, DECISIONS.__eq__, start_ns, end_ns):
                yield from _decoded(partial(decode_decision, raw.data, raw.log_time_ns))

        return self._merged(read, key=lambda decision: decision.log_time_ns)

    def outcomes(
        self, start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[OutcomeColumns]:
        """What became of events, in the order in which it was final."""

        def read(file: _File) -> Iterator[OutcomeColumns]:
            for raw in self._pass(file, OUTCOMES.__eq__, start_ns, end_ns):
                yield from _decoded(partial(decode_outcomes, raw.data))

        return self._merged(read, key=lambda columns: columns.acknowledged_ns)

    def schedule(
        self, start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[ScheduleEntry]:
        """The schedule log."""

        def read(file: _File) -> Iterator[ScheduleEntry]:
            for raw in self._pass(file, SCHEDULE.__eq__, start_ns, end_ns):
                yield from _decoded(partial(decode_schedule, raw.data, raw.log_time_ns))

        return self._merged(read, key=lambda entry: entry.log_time_ns)

    def tables(self) -> Iterator[TableRows]:
        """What the tables of lookups held, and how they changed; what was told before is left out.

        Of several recordings (of workers, which saw a change at instants of their own) the one that saw it first tells.
        """

        def read(file: _File) -> Iterator[TableRows]:
            for raw in self._pass(file, lambda channel: channel.startswith(TABLES), None, None):
                name = raw.channel[len(TABLES) :]
                yield from _decoded(partial(decode_table, raw.data, name, raw.log_time_ns))

        return filter(TablesSeen().is_new, self._merged(read, key=lambda rows: rows.seen_ns))

    def gaps(self) -> Iterator[Gap]:
        """What is known to be missing."""

        def read(file: _File) -> Iterator[Gap]:
            for raw in self._pass(file, GAPS.__eq__, None, None):
                yield from _decoded(partial(decode_gap, raw.data))

        return self._merged(read, key=lambda gap: gap.end_ns)

    def _pass(
        self,
        file: _File,
        wanted: Callable[[str], bool],
        start_ns: int | None,
        end_ns: int | None,
    ) -> Iterator[RawMessage]:
        scan = McapScan(file.path)
        return scan.messages(wanted, start_ns, end_ns, channels=file.channels)

    def _merged(
        self, read: Callable[[_File], Iterator[Any]], key: Callable[[Any], int]
    ) -> Iterator[Any]:
        """The files of each recording one after the other, recordings merged by time."""
        recordings: dict[str, list[_File]] = {}
        for file in self._files:
            recordings.setdefault(file.metadata.recording or str(file.path), []).append(file)
        passes = [chain.from_iterable(map(read, files)) for files in recordings.values()]
        return passes[0] if len(passes) == 1 else heapq.merge(*passes, key=key)

    @staticmethod
    def _count(file: _File, counts: dict[str, int], times: list[int]) -> list[str]:
        """Count what a file without a summary holds; gives what is missing of it."""
        scan = McapScan(file.path)
        first: int | None = None
        last = 0
        for raw in scan.messages(lambda _: True):
            counts[raw.channel] = counts.get(raw.channel, 0) + 1
            first = raw.log_time_ns if first is None else min(first, raw.log_time_ns)
            last = max(last, raw.log_time_ns)
        if first is not None:
            times += (first, last)
        return [scan.truncated] if scan.truncated else []


def _batches(messages: Iterable[RawMessage]) -> Iterator[RecordBatch]:
    """Records gathered into the batches that they were fetched in."""
    held: list[Any] = []
    expected, channel, log_time_ns = 0, "", 0
    for raw in messages:
        for record in _decoded(partial(decode_record, raw.data)):
            begins = record.HasField("batch")
            other = raw.channel != channel or raw.log_time_ns != log_time_ns
            if held and (begins or other or len(held) >= (expected or BATCH_MAX)):
                yield batch_of(held, log_time_ns)
                held = []
            if not held:
                channel, log_time_ns = raw.channel, raw.log_time_ns
                expected = record.batch.records if begins else 0
            held.append(record)
            if len(held) == expected:
                yield batch_of(held, log_time_ns)
                held = []
    if held:
        yield batch_of(held, log_time_ns)


def _decoded(decode: Callable[[], Any]) -> Iterator[Any]:
    """What a message says; nothing where it is damaged."""
    try:
        yield decode()
    except _DAMAGED:
        return


def _opened(path: Path) -> _File:
    try:
        metadata = CaptureMetadata.read(McapScan(path).all_metadata())
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    summary = summary_of(path)
    channels = {} if summary is None else {n: c.topic for n, c in summary.channels.items()}
    return _File(path, metadata, summary, channels)


def _paths(path: str | Path | Sequence[str | Path]) -> list[Path]:
    if not isinstance(path, str | Path):
        return [found for one in path for found in _paths(one)]
    place = Path(path)
    if not place.is_dir():
        return [place]
    found = sorted(p for p in place.iterdir() if p.name.endswith((".mcap", ".mcap.part")))
    if not found:
        msg = f"there is no recording in {place}: no file that ends with .mcap"
        raise ConfigError(msg)
    return found
