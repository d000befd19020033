"""Writes recordings: MCAP files whose chunks are cut by time as well as by size.

A file is ``NAME.mcap.part`` until it is complete, and is then renamed in one step. What is older than
``chunk_ns`` is on the disk, in chunks that can be read alone: a crash loses no more.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streamproc.connectors.capture.mcap_file import McapFile
from streamproc.connectors.capture.messages import (
    DECISIONS,
    GAPS,
    OUTCOMES,
    SCHEDULE,
    Gap,
    OutcomeColumns,
    RecordedDecision,
    SentBatch,
    records_channel,
)
from streamproc.connectors.capture.metadata import CaptureMetadata
from streamproc.connectors.capture.output import OutputFile
from streamproc.connectors.capture.schema import descriptor_set, schema_name
from streamproc.connectors.capture.table_image import TableImages
from streamproc.connectors.capture.table_wire import encode_table, tables_channel
from streamproc.connectors.capture.wire import (
    encode_decision,
    encode_gap,
    encode_outcomes,
    encode_records,
    encode_schedule,
    encode_sent,
)
from streamproc.core import (
    NS_PER_MS,
    VERSION,
    Clock,
    ConfigError,
    RecordBatch,
    SystemClock,
    TableRows,
)

CHUNK_BYTES: Final = 1 << 20
CHUNK_NS: Final = 400 * NS_PER_MS
"""A second may be lost; the rest of it is for the way to the writer and for its own pauses."""
PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is completed and the next one begun.

    Attributes:
        bytes_max: when it is longer; None for whatever length.
        age_max_ns: when it is older; None for whatever age.
    """

    bytes_max: int | None = None
    age_max_ns: int | None = None

    def due(self, *, age_ns: int, length: int) -> bool:
        """Whether it is time."""
        old = self.age_max_ns is not None and age_ns >= self.age_max_ns
        return old or (self.bytes_max is not None and length >= self.bytes_max)


class CaptureWriter:
    """Writes one recording, in one file or, where it rotates, in several.

    Args:
        path: the file; ``NAME-0001.mcap``, ``NAME-0002.mcap`` ... where it rotates.
        metadata: what the recording says of itself.
        clock: the time by which chunks are cut and files rotate; not that of what is recorded.
        rotation: when a file is completed and the next one begun; None for one file.
        chunk_bytes: a chunk that is longer is written.
        chunk_ns: a chunk that is older is written, at the next call.
        durable: whether each chunk is waited for until the disk has it (fsync).
        overwrite: whether a file that is there may be replaced.
        images: what is known of tables, with which files begin; None knows nothing yet.

    Raises:
        ConfigError: the file is there already.
        OSError: it cannot be written.
    """

    def __init__(  # noqa: PLR0913 - what a file is made of
        self,
        path: str | Path,
        metadata: CaptureMetadata,
        *,
        clock: Clock | None = None,
        rotation: Rotation | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        chunk_ns: int = CHUNK_NS,
        durable: bool = True,
        overwrite: bool = False,
        images: TableImages | None = None,
    ) -> None:
        self._target = Path(path)
        self._clock = clock or SystemClock()
        self._rotation = rotation
        self._chunk_bytes = chunk_bytes
        self._chunk_ns = chunk_ns
        self._durable = durable
        self._overwrite = overwrite
        self._metadata = metadata
        self._variants = [model.variant for model in metadata.models]
        self._images = TableImages() if images is None else images
        self._part = metadata.part - 1
        self._waiting_since_ns: int | None = None
        self.completed: list[Path] = []
        """The files that are complete."""
        self._begin()

    @property
    def path(self) -> Path:
        """The file that is being written, under the name that it will have."""
        return self._path

    @property
    def part(self) -> int:
        """The number of that file in the recording."""
        return self._part

    @property
    def waiting(self) -> bool:
        """Whether something was written that the disk does not have yet."""
        return self._waiting_since_ns is not None

    def records(self, batch: RecordBatch) -> None:
        """Write what one fetch gave; ``log_time`` is the batch's arrival."""
        self._images.advance(batch.arrival_ns)
        channel = self._channel(records_channel(batch.source), "KafkaRecord")
        timestamps = batch.timestamp_ns.tolist()
        add, arrival_ns = self._mcap.add, batch.arrival_ns
        for timestamp_ns, data in zip(timestamps, encode_records(batch), strict=True):
            add(channel, arrival_ns, max(timestamp_ns, 0), data)
        self._written()

    def decisions(self, decisions: Iterable[RecordedDecision]) -> None:
        """Write what was sent."""
        channel = self._channel(DECISIONS, "Decision")
        for decision in decisions:
            at_ns = decision.log_time_ns
            self._mcap.add(channel, at_ns, at_ns, encode_decision(decision))
        self._written()

    def sent(self, sent: SentBatch) -> None:
        """Write what was handed to the sink together."""
        if not len(sent):
            return
        channel, at_ns = self._channel(DECISIONS, "Decision"), sent.log_time_ns
        for data in encode_sent(sent, self._metadata.lanes, self._variants):
            self._mcap.add(channel, at_ns, at_ns, data)
        self._written()

    def outcomes(self, outcomes: OutcomeColumns) -> None:
        """Write what became of events; ``log_time`` is the instant at which it was final."""
        self._add(OUTCOMES, "Outcomes", outcomes.acknowledged_ns, encode_outcomes(outcomes))

    def schedule(self, data: bytes, log_time_ns: int, *, version: int = 1) -> None:
        """Write an entry of the schedule log."""
        self._add(SCHEDULE, "Schedule", log_time_ns, encode_schedule(data, version))

    def table(self, rows: TableRows) -> None:
        """Write what a lookup's table holds, or how it changed; ``log_time`` is the instant after which it is seen."""
        self._images.take(rows)
        self._add(tables_channel(rows.name), "TableRows", rows.seen_ns, encode_table(rows))

    def gap(self, gap: Gap) -> None:
        """Write that something is missing."""
        self._add(GAPS, "Gap", gap.end_ns, encode_gap(gap))

    def tick(self) -> None:
        """Cut the chunk, or rotate the file, if it is time: to be called now and then while nothing is written.

        Raises:
            OSError: the disk is full, or fails; see ``abandon``.
        """
        now_ns = self._clock.now_ns()
        since_ns = self._waiting_since_ns
        long = self._mcap.waiting_bytes >= self._chunk_bytes
        if long or (since_ns is not None and now_ns - since_ns >= self._chunk_ns):
            self.flush()
        if self._written_any and self._rotation is not None:
            age_ns, length = now_ns - self._begun_ns, self._file.tell()
            if self._rotation.due(age_ns=age_ns, length=length):
                self._complete()
                self._begin()

    def flush(self) -> None:
        """Write the chunk that is being made, and wait until the disk has it."""
        self._mcap.flush()
        self._file.whole(durable=self._durable)
        self._waiting_since_ns = None

    def close(self) -> None:
        """Complete the file; one in which nothing was written is complete, too."""
        self._complete()

    def abandon(self) -> None:
        """Leave the file as it is after an error: all chunks that were written whole stay readable."""
        self._file.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            self.abandon()
        else:
            self.close()

    def _begin(self) -> None:
        self._part += 1
        self._path = self._named(self._part)
        if not self._overwrite:
            not_there(self._path)
        self._begun_ns = self._clock.now_ns()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = OutputFile(_part_of(self._path))
        self._written_any = False
        told = replace(self._metadata, part=self._part, started_ns=self._begun_ns)
        try:
            self._mcap = McapFile(self._file, f"streamproc {VERSION}")
            for name, values in told.records():
                self._mcap.metadata(name, values)
            for rows in self._images.all_told():
                channel = self._channel(tables_channel(rows.name), "TableRows")
                self._mcap.add(channel, rows.seen_ns, rows.seen_ns, encode_table(rows))
            self.flush()
        except OSError:
            self.abandon()
            raise

    def _named(self, part: int) -> Path:
        if self._rotation is None and part == 1:
            return self._target
        return self._target.with_name(f"{self._target.stem}-{part:04d}{self._target.suffix}")

    def _complete(self) -> None:
        if self._file.closed:
            return
        self._mcap.finish()
        self._file.whole(durable=self._durable)
        self._file.close()
        _part_of(self._path).replace(self._path)
        if self._durable:
            _sync_folder(self._path.parent)
        self.completed.append(self._path)

    def _add(self, name: str, schema: str, log_time_ns: int, data: bytes) -> None:
        self._mcap.add(self._channel(name, schema), log_time_ns, log_time_ns, data)
        self._written()

    def _written(self) -> None:
        self._written_any = True
        if self._waiting_since_ns is None:
            self._waiting_since_ns = self._clock.now_ns()
        self.tick()

    def _channel(self, name: str, schema: str) -> int:
        return self._mcap.channel(name, schema_name(schema), descriptor_set())


def not_there(path: Path) -> None:
    """See that a recording would replace nothing.

    Raises:
        ConfigError: the file is there, or what a recorder left of it.
    """
    for found in (path, _part_of(path)):
        if found.exists():
            msg = f"{found} is there already: remove it, or write to another"
            raise ConfigError(msg)


def _part_of(path: Path) -> Path:
    """Where a file is written until it is complete."""
    return path.with_name(path.name + PART)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
