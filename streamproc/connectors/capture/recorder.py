"""The pipeline's side of recording: hands over what there is to record, and never waits.

What a poll, a run or an acknowledgement gives is kept for some milliseconds, marshalled together and put into
the socket of the recorder's process as far as there is room. What does not fit waits here, up to a limit of
bytes; beyond it events are dropped and counted, and the recording says so where they are missing.
"""

import asyncio
import logging
import pickle
import socket
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from streamproc.connectors.capture import frames
from streamproc.connectors.capture.messages import (
    Gap,
    OutcomeColumns,
    RecordedDecision,
    SentBatch,
)
from streamproc.connectors.capture.scribe import Job
from streamproc.connectors.capture.table_wire import pack_table, size_of
from streamproc.core import Clock, RecordBatch, TableRows

log = logging.getLogger(__name__)

FLUSH_S: Final = 0.01
"""So long what comes is gathered: at a thousand batches a second, ten in one system call."""
FLUSH_BYTES: Final = 256 << 10
"""Of one frame: marshalling it takes a fifth of a millisecond, in which the event loop does nothing else."""
_RECORD_BYTES: Final = 96
"""What a record takes beside its value, about; a key is short."""
_SAMPLE: Final = 8
"""Values of a batch whose lengths are looked at."""
_OUTCOME_BYTES: Final = 48
_AGAIN_S: Final = 1.0
_AGAIN_MAX_S: Final = 30.0
_CLOSE_S: Final = 10.0
_PROGRAM: Final = """\
import sys
sys.path[:] = {path!r}
from streamproc.connectors.capture.scribe import main
main(channel={channel})
"""


class Recorder:
    """Records by a process of its own; belongs to one event loop.

    Args:
        job: what that process is to write.
        clock: the pipeline's time, for the instants of gaps.
        queue_bytes: how much may wait here.
    """

    def __init__(self, job: Job, *, clock: Clock, queue_bytes: int) -> None:
        self._job = job
        self._clock = clock
        self._queue_bytes = queue_bytes
        self._socket: socket.socket | None = None
        self._pending: deque[tuple[int, frames.Item]] = deque()
        self._pending_bytes = 0
        self._under_way = memoryview(b"")
        """Of a frame, what the socket has not taken yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._restart: asyncio.TimerHandle | None = None
        self._again_s = _AGAIN_S
        self._unframer = frames.Unframer()
        self._sent: Counter[str] = Counter()
        """Events that went to the process that is alive."""
        self._gap: Gap | None = None
        self._dropped = 0
        self._closing = False
        self.all_tables: Callable[[], Iterable[TableRows]] | None = None
        """Gives all that lookups' tables hold: asked for wherever the recording may not know it any more."""
        self._moved = asyncio.Event()
        self.process: subprocess.Popen[bytes] | None = None
        """The process that writes; None before the start, between two lives and after the end."""
        self.report: Mapping[str, Any] = {}
        """What it last told of itself: ``safe`` and ``lost`` events by kind, ``trouble``."""
        self.files: list[str] = []
        """The files that are complete."""

    @property
    def dropped(self) -> int:
        """Records, decisions and outcomes that are in no file and will not be."""
        lost: dict[str, int] = self.report.get("lost", {})
        return self._dropped + sum(lost.values())

    @property
    def waiting_bytes(self) -> int:
        """How much waits here."""
        return self._pending_bytes + len(self._under_way)

    @property
    def trouble(self) -> str | None:
        """Why nothing is being written, if so."""
        found: str | None = self.report.get("trouble")
        return found

    def start(self) -> None:
        """Start the process; it is not waited for.

        Raises:
            OSError: the machine has no room for it.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            program = _PROGRAM.format(path=sys.path, channel=theirs.fileno())
            try:
                self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                    [sys.executable, "-c", program],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # the terminal's Ctrl-C is for the pipeline
                )
            except OSError:
                ours.close()
                raise
        ours.settimeout(0)
        self._socket = ours
        self._unframer, self.report, self._sent = frames.Unframer(), {}, Counter()
        job = pickle.dumps(self._job)
        self._under_way = memoryview(len(job).to_bytes(frames.LENGTH_BYTES, "little") + job)
        self.tables_anew()
        asyncio.get_running_loop().add_reader(ours, self._hear)
        self._push_on()

    def records(self, batch: RecordBatch) -> None:
        """What one fetch gave."""
        count = len(batch)
        size = _RECORD_BYTES * count + _lengths(batch.value)
        self._add(frames.RECORDS, count, size, frames.pack_records(batch))

    def sent(self, sent: SentBatch) -> None:
        """What was handed to the sink."""
        count = len(sent)
        size = _RECORD_BYTES * count + _lengths(sent.value)
        self._add(frames.DECISIONS, count, size, frames.pack_sent(sent))

    def decisions(self, decisions: Sequence[RecordedDecision]) -> None:
        """What was read from the topics of decisions."""
        size = sum(_RECORD_BYTES + len(d.value or b"") + len(d.key or b"") for d in decisions)
        item = frames.pack_decisions(decisions)
        self._add(frames.DECISIONS, len(decisions), size, item)

    def outcomes(self, outcomes: OutcomeColumns) -> None:
        """What became of events."""
        count = len(outcomes)
        self._add(frames.OUTCOMES, count, _OUTCOME_BYTES * count, frames.pack_outcomes(outcomes))

    def schedule(self, data: bytes, log_time_ns: int, *, version: int = 1) -> None:
        """An entry of the schedule log."""
        item = frames.pack_schedule(data, log_time_ns, version)
        self._add(frames.SCHEDULE, 1, len(data) + _RECORD_BYTES, item)

    def table(self, rows: TableRows) -> None:
        """How a lookup's table changed."""
        self._add(frames.TABLES, len(rows), size_of(rows), pack_table(rows))

    def tables_anew(self) -> None:
        """All that the tables hold; where that takes more room than there is, none of it."""
        told = () if self.all_tables is None else tuple(self.all_tables())
        size = sum(map(size_of, told))
        if size > self._queue_bytes // 2:
            log.warning(
                "the tables of lookups take %d MiB and are not recorded: a replay will not know them; set record.queue to "
                "more than twice as much",
                size >> 20,
            )
            self.all_tables = None
            return
        for rows in told:
            self.table(rows)

    async def close(self) -> None:
        """Hand over what waits, and wait until the file is complete, both within a time."""
        self._closing = True
        if self._restart is not None:
            self._restart.cancel()
        self._end_gap()
        try:
            async with asyncio.timeout(_CLOSE_S):
                while self._socket is not None and (self._pending or self._under_way):
                    self._flush()
                    await self._progress()
                if self._socket is not None:
                    self._socket.shutdown(socket.SHUT_WR)
                while self._socket is not None:
                    await self._progress()
        except (TimeoutError, OSError):
            log.warning("the recorder does not end in time: the end of the recording is missing")
        process = self.process
        self._let_go()
        if process is not None:
            await asyncio.to_thread(_end, process)
        if self._pending:
            self._drop_pending()

    def _add(self, kind: str, count: int, size: int, item: frames.Item) -> None:
        """Keep an item until it is sent; drop it where too much waits."""
        if self._closing:
            return
        held = self.waiting_bytes
        if held + size > self._queue_bytes:
            self._drop({kind: count}, "queue_full")
            return
        if self._gap is not None and held <= self._queue_bytes // 2:
            self._end_gap()
        self._pending.append((size, item))
        self._pending_bytes += size
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._socket is not None and not self._under_way and self._pending:
            items: list[frames.Item] = []
            size = 0
            while self._pending and size < FLUSH_BYTES:
                own, item = self._pending.popleft()
                items.append(item)
                size += own
                self._sent[item[0]] += item[1]
            self._pending_bytes -= size
            self._under_way = memoryview(frames.frame(items))
            self._push()

    def _push(self) -> None:
        """Put into the socket what it takes; it is asked again when it takes more."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        try:
            while self._under_way:
                self._under_way = self._under_way[self._socket.send(self._under_way) :]
        except BlockingIOError:
            loop.add_writer(self._socket, self._push_on)
            return
        except OSError:
            self._lost()
            return
        loop.remove_writer(self._socket)

    def _push_on(self) -> None:
        """The socket takes more."""
        self._push()
        self._flush()
        self._moved.set()

    def _hear(self) -> None:
        """The process reports, or is gone."""
        if self._socket is None:
            return
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        before = self.trouble
        for content in self._unframer.take(data):
            self.report = frames.read(content)
        self.files += [path for path in self.report["files"] if path not in self.files]
        if self.trouble is None:
            self._again_s = _AGAIN_S
        if self.trouble != before:
            if self.trouble is None:
                log.warning("recording goes on in %s", self._job.path.parent)
            elif before is None:
                log.warning("recording pauses, the pipeline goes on: %s", self.trouble)

    def _lost(self) -> None:
        """The process is gone: start another, unless this is the end."""
        report, self.report = self.report, {}
        gone = self._sent - Counter(report.get("safe", {})) - Counter(report.get("lost", {}))
        self._dropped += sum(report.get("lost", {}).values())
        self._let_go()
        if gone:
            self._drop(gone, "recorder_lost")
        self._moved.set()
        if self._closing:
            return
        part = int(report.get("part", self._job.metadata.part)) + 1
        self._job = replace(self._job, metadata=replace(self._job.metadata, part=part))
        log.warning(
            "the recorder has ended: about %d events of its last moments are not recorded; another is started in %.0f s",
            sum(gone.values()),
            self._again_s,
        )
        loop = asyncio.get_running_loop()
        self._restart = loop.call_later(self._again_s, self._start_again)
        self._again_s = min(2 * self._again_s, _AGAIN_MAX_S)

    def _start_again(self) -> None:
        self._restart = None
        try:
            self.start()
        except OSError as error:
            log.warning("the recorder cannot be started: %s", error)
            self._restart = asyncio.get_running_loop().call_later(self._again_s, self._start_again)

    def _drop(self, events: Mapping[str, int], reason: str) -> None:
        """These will be in no file; what is missing one after the other is one gap."""
        now_ns = self._clock.now_ns()
        self._dropped += sum(events.values())
        if self._gap is None:
            log.warning("events are not recorded: %s; the recording will say which", reason)
            self._gap = Gap(now_ns, now_ns, reason, Counter(events))
            return
        dropped = Counter(self._gap.dropped)
        dropped.update(events)
        self._gap = self._gap._replace(end_ns=now_ns, dropped=dropped)

    def _drop_pending(self) -> None:
        events: Counter[str] = Counter()
        for _, item in self._pending:
            events[item[0]] += item[1]
        self._pending.clear()
        self._pending_bytes = 0
        self._dropped += sum(events.values())

    def _end_gap(self) -> None:
        """What is missing is told where it is missing."""
        if self._gap is not None:
            self._pending.append((0, frames.pack_gap(self._gap)))
            lost, self._gap = self._gap.dropped, None
            if lost.get(frames.TABLES) and not self._closing:
                self.tables_anew()

    def _let_go(self) -> None:
        connection, self._socket = self._socket, None
        process, self.process = self.process, None
        self._under_way = memoryview(b"")
        loop = asyncio.get_running_loop()
        if connection is not None:
            loop.remove_reader(connection)
            loop.remove_writer(connection)
            connection.close()
        if process is not None and process.poll() is None:
            # It is nearly gone, or hangs in a write that may take long: not to be waited for here.
            loop.run_in_executor(None, _end, process)

    async def _progress(self) -> None:
        self._moved.clear()
        await self._moved.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _lengths(values: Sequence[bytes | None]) -> int:
    """About the bytes of values: those of some of them stand for all."""
    some = values[:: max(1, len(values) // _SAMPLE)]
    return sum(map(len, filter(None, some))) * len(values) // max(1, len(some))
