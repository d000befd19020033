"""The recorder's own process: takes what a pipeline tells it, and writes files.

It ends when the pipeline closes the channel, or is gone: whatever reached it is then in a complete file.
"""

import contextlib
import os
import pickle
import select
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from streamproc.connectors.capture import frames
from streamproc.connectors.capture.messages import Gap
from streamproc.connectors.capture.metadata import CaptureMetadata
from streamproc.connectors.capture.options import Redact
from streamproc.connectors.capture.redaction import KeyKind, Redactor
from streamproc.connectors.capture.table_image import TableImages
from streamproc.connectors.capture.table_wire import unpack_table
from streamproc.connectors.capture.writer import CaptureWriter, Rotation
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Clock,
    ConfigError,
    InvariantError,
    SystemClock,
    TableRows,
)

_NICE: Final = 5
"""The pipeline goes first."""
_TURN_S: Final = 0.05
_READ_BYTES: Final = 1 << 20
_TELL_EVERY_NS: Final = 250 * NS_PER_MS
_TRY_AGAIN_NS: Final = 5 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Job:
    """What a recorder is to write.

    Attributes:
        path: the file.
        metadata: what the recording says of itself; ``part`` is the number of the first file.
        rotation: when the next file is begun; None for one file.
        keep_free: bytes of the disk that are left free.
        redact: what must not stand in it.
        hidden_keys: by lookup, of which kind the field is whose pseudonyms its table's keys must be.
    """

    path: Path
    metadata: CaptureMetadata
    rotation: Rotation | None = None
    keep_free: int = 0
    redact: Redact | None = None
    hidden_keys: Mapping[str, KeyKind] = field(default_factory=dict)


class Scribe:
    """Writes what it is given; pauses while the disk is full, and says in the next file what is missing.

    Args:
        job: what to write.
        clock: the time.
        tell: is told how things stand.
    """

    def __init__(self, job: Job, clock: Clock, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._job = job
        self._clock = clock
        self._tell = tell
        self._redactor = None if job.redact is None else Redactor(job.redact, job.hidden_keys)
        self._variants = [model.variant for model in job.metadata.models]
        self._part = job.metadata.part
        self._images = TableImages()
        self._writer: CaptureWriter | None = None
        self._files: list[Path] = []
        self._taken: Counter[str] = Counter()
        self._unsafe: Counter[str] = Counter()
        """What was taken and is not on the disk yet."""
        self._lost: Counter[str] = Counter()
        self._lost_all: Counter[str] = Counter()
        self._trouble: str | None = None
        self._trouble_since_ns = 0
        self._told_ns = self._looked_ns = 0
        self._open()

    def take_all(self, items: Iterable[frames.Item]) -> None:
        """Write items one after the other."""
        for item in items:
            self.take(item)

    def take(self, item: frames.Item) -> None:
        """Write one item."""
        kind, count = item[:2]
        self._taken[kind] += count
        if self._writer is None:
            if kind == frames.TABLES:
                self._images.take(self._table(item))  # the next file begins with it
            elif kind == frames.GAP:
                # Counted by the pipeline already; the gap that is marked here covers it.
                self._lost.update(frames.unpack_gap(item).dropped)
            else:
                self._lose({kind: count})
            return
        self._unsafe[kind] += count
        try:
            self._write(self._writer, item)
        except (OSError, ConfigError) as error:
            self._fail(error)

    def tick(self) -> None:
        """Look after the file, and tell how things stand."""
        now_ns = self._clock.now_ns()
        if self._writer is None:
            if now_ns - self._looked_ns >= _TRY_AGAIN_NS:
                self._open()
        else:
            try:
                self._writer.tick()
                self._note_part(self._writer)
                if now_ns - self._looked_ns >= NS_PER_S:
                    self._look_at_room(self._writer, now_ns)
            except (OSError, ConfigError) as error:
                self._fail(error)
        if now_ns - self._told_ns >= _TELL_EVERY_NS:
            self.report()

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            try:
                self._writer.close()
                self._unsafe.clear()
                self._files += self._writer.completed
            except (OSError, ConfigError) as error:
                self._fail(error)
        self.report()

    def report(self) -> None:
        """Tell how many events are on the disk, and how many are lost."""
        self._told_ns = self._clock.now_ns()
        if self._writer is not None and not self._writer.waiting:
            self._unsafe.clear()
        safe = self._taken - self._unsafe - self._lost_all
        self._tell(
            {
                "safe": dict(+safe),
                "lost": dict(+self._lost_all),
                "part": self._part,
                "trouble": self._trouble,
                "files": [str(path) for path in self._files],
            }
        )

    def _write(self, writer: CaptureWriter, item: frames.Item) -> None:
        match item[0]:
            case frames.RECORDS:
                batch = frames.unpack_records(item)
                writer.records(self._redactor.records(batch) if self._redactor else batch)
            case frames.DECISIONS if self._redactor is None and frames.sent_together(item):
                writer.sent(frames.unpack_sent(item))
            case frames.DECISIONS:
                lanes = self._job.metadata.lanes
                made = frames.unpack_decisions(item, lanes, self._variants)
                writer.decisions(map(self._redactor.decision, made) if self._redactor else made)
            case frames.OUTCOMES:
                writer.outcomes(frames.unpack_outcomes(item))
            case frames.SCHEDULE:
                _, _, data, log_time_ns, version = item
                writer.schedule(data, log_time_ns, version=version)
            case frames.TABLES:
                writer.table(self._table(item))
            case frames.GAP:
                writer.gap(frames.unpack_gap(item))
            case kind:
                msg = f"an item of an unknown kind: {kind!r}"
                raise InvariantError(msg)

    def _table(self, item: frames.Item) -> TableRows:
        rows = unpack_table(item)
        return self._redactor.table(rows) if self._redactor else rows

    def _open(self) -> None:
        """Begin a file, if there is room; in it stands first what is missing before it."""
        self._looked_ns = self._clock.now_ns()
        job = self._job
        try:
            if self._free() < job.keep_free:
                msg = f"less than {job.keep_free >> 20} MiB are free at {job.path.parent}"
                raise OSError(msg)  # noqa: TRY301 - the same as a full disk
            self._writer = CaptureWriter(
                job.path,
                replace(job.metadata, part=self._part),
                clock=self._clock,
                rotation=job.rotation,
                images=self._images,
            )
            if self._trouble is not None:
                now_ns = self._clock.now_ns()
                self._writer.gap(Gap(self._trouble_since_ns, now_ns, "disk_full", +self._lost))
                self._writer.flush()
        except (OSError, ConfigError) as error:
            self._fail(error)
            return
        self._lost = Counter()
        self._trouble = None

    def _free(self) -> int:
        folder = self._job.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize

    def _look_at_room(self, writer: CaptureWriter, now_ns: int) -> None:
        """Complete the file while there is room for its end."""
        self._looked_ns = now_ns
        if self._free() >= self._job.keep_free:
            return
        writer.close()
        self._unsafe.clear()
        self._files += writer.completed
        self._part += 1
        self._writer = None
        self._begin_trouble(f"less than {self._job.keep_free >> 20} MiB of the disk are free")

    def _note_part(self, writer: CaptureWriter) -> None:
        self._part = writer.part
        if writer.completed:
            self._files += writer.completed
            writer.completed.clear()

    def _fail(self, error: Exception) -> None:
        """The file cannot be written any further: leave it as it is, and try another later."""
        if self._writer is not None:
            self._note_part(self._writer)
            self._writer.abandon()
            self._writer = None
            self._part += 1
        self._lose(self._unsafe)
        self._unsafe = Counter()
        self._begin_trouble(str(error))

    def _begin_trouble(self, why: str) -> None:
        if self._trouble is None:
            self._trouble_since_ns = self._clock.now_ns()
        self._trouble = why
        self.report()

    def _lose(self, events: Mapping[str, int]) -> None:
        self._lost.update(events)
        self._lost_all.update(events)


def main(channel: int) -> None:
    """The process: reads the job, then frames of items, until the channel is closed.

    Args:
        channel: the handle of our socket.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the end of the channel is our end
    os.nice(_NICE)
    with socket.socket(fileno=channel) as connection:
        _serve(connection)


def _serve(connection: socket.socket) -> None:
    unframer = frames.Unframer()
    scribe: Scribe | None = None

    def tell(report: Mapping[str, Any]) -> None:
        # Where the pipeline is gone, what is here is written all the same.
        with contextlib.suppress(OSError):
            connection.sendall(frames.frame(dict(report)))

    while True:
        readable, _, _ = select.select([connection], [], [], _TURN_S)
        data = _received(connection) if readable else None
        if data == b"":
            break
        for content in unframer.take(data or b""):
            if scribe is None:
                job = pickle.loads(content)  # noqa: S301 - of the process that started us
                scribe = Scribe(job, SystemClock(), tell)
            else:
                scribe.take_all(frames.read(content))
        if scribe is not None:
            scribe.tick()
    if scribe is not None:
        scribe.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_READ_BYTES)
    except ConnectionError:
        return b""
