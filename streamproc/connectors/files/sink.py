"""A sink that writes JSON lines."""

import asyncio
import base64
import logging
import os
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import orjson

from streamproc.connectors.files.options import FileSink
from streamproc.core import (
    NS_PER_S,
    Clock,
    ConfigError,
    ExternalError,
    OutRecords,
    Problem,
    SendDone,
)

log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    records: OutRecords
    done: SendDone
    size: int


class LinesSink:
    """Appends records to files, on a thread; implements ``core.Sink``.

    What is handed over while the thread writes is written together after it. Acknowledged is what the operating system
    has taken: it outlives this process, and is waited for (``fsync``) when the sink stops.

    Args:
        options: what the user set.
        append: whether files that are there are written on.
        clock: for the instants of acknowledgement.
    """

    def __init__(self, options: FileSink, *, append: bool, clock: Clock) -> None:
        self._options = options
        self._mode = "ab" if append else "wb"
        self._clock = clock
        self._files: dict[str, IO[bytes]] = {}
        self._waiting: list[_Waiting] = []
        self._pending_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._started = False

    async def start(self) -> None:
        """Open the file of the decisions; see ``Sink``."""
        try:
            await asyncio.to_thread(self._file, self._options.topic)
        except OSError as error:
            msg = f"cannot write {self._options.path}: {error.strerror or error}"
            raise ConfigError(Problem(msg, "sink.file.path")) from error
        self._started = True

    def send(self, records: OutRecords, done: SendDone) -> None:
        """Take the records to be written; see ``Sink``."""
        size = sum(map(len, filter(None, [*records.key, *records.value])))
        self._pending_bytes += size
        self._waiting.append(_Waiting(records, done, size))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_all())

    def pending_bytes(self) -> int:
        """Bytes not yet written; see ``Sink``."""
        return self._pending_bytes

    def healthy(self) -> bool:
        """True while it is started; see ``Sink``."""
        return self._started

    async def stop(self, *, timeout_ns: int) -> None:
        """Write what was taken, and close the files; see ``Sink``."""
        self._started = False
        if self._writing is not None:
            try:
                async with asyncio.timeout(timeout_ns / NS_PER_S):
                    await asyncio.shield(self._writing)
            except TimeoutError:
                log.warning("%s does not take what is written", self._options.path)
                return  # the thread still has the files
        await asyncio.to_thread(self._close)

    async def _write_all(self) -> None:
        """Write until nothing waits."""
        while self._waiting:
            taken, self._waiting = self._waiting, []
            result: int | Exception
            try:
                await asyncio.to_thread(self._write, [waiting.records for waiting in taken])
                result = self._clock.now_ns()
            except OSError as error:
                result = ExternalError(
                    f"cannot write {error.filename or self._options.path}: {error.strerror or error}"
                )
            for waiting in taken:
                self._pending_bytes -= waiting.size
                waiting.done(result)
        self._writing = None

    def _write(self, batch: list[OutRecords]) -> None:
        """On the thread."""
        for records in batch:
            whole = records.topic != self._options.topic
            lines = _records(records) if whole else _values(records)
            self._file(records.topic).write(b"".join(lines))
        for file in self._files.values():
            file.flush()

    def _file(self, topic: str) -> IO[bytes]:
        if topic not in self._files:
            path = self._options.file_of(topic)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files[topic] = path.open(self._mode)
        return self._files[topic]

    def _close(self) -> None:
        for file in self._files.values():
            try:
                with file:
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:  # such as a pipe, which has nothing to wait for
                log.debug("%s: %s", file.name, error)
        self._files.clear()


def _values(records: OutRecords) -> Iterator[bytes]:
    """Decisions are JSON objects, and a line each as they are."""
    for value in records.value:
        if value is not None:
            yield value
            yield b"\n"


def _records(records: OutRecords) -> Iterator[bytes]:
    """Records with their keys, values and headers, byte by byte."""
    for row, (key, value) in enumerate(zip(records.key, records.value, strict=True)):
        told: dict[str, Any] = {"topic": records.topic, "partition": records.source.partition}
        told |= _text("key", key) | _text("value", value)
        headers = (*records.row_headers.get(row, ()), *records.headers)
        if headers:
            told["headers"] = [
                {"key": name, **_text("value", content)} for name, content in headers
            ]
        yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _text(name: str, content: bytes | None) -> dict[str, str | None]:
    """Bytes as a text where they are one, else in base64."""
    try:
        return {name: None if content is None else content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content or b"").decode()}
