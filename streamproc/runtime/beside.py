"""Recording beside a service: what its topics hold, read by a consumer of its own."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from streamproc.config import PipelineConfig, kafka_sink, kafka_source, redact_of_key
from streamproc.connectors.capture import Job, RecordedDecision, Recorder
from streamproc.connectors.kafka import Access, TopicTail
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Clock,
    ConfigError,
    Headers,
    Outcome,
    Problem,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine import OUTCOME_HEADER, REASON_HEADER, SOURCE_HEADER
from streamproc.runtime.assembly import dead_letter_topic
from streamproc.runtime.recording import hidden_keys, metadata_of, record_tables
from streamproc.runtime.table_topics import TableTopics

_POLL_NS: Final = 200 * NS_PER_MS
_OUTCOMES: Final = {outcome.word: outcome for outcome in Outcome}
_ID_PARTS: Final = 2
_NOWHERE: Final = TopicPartition("", -1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording holds.

    Attributes:
        records: of the input topics.
        decisions: and letters, of the output topics.
        dropped: what is missing.
        skipped: records that were deleted before they could be read.
        files: the files.
    """

    records: int
    decisions: int
    dropped: int
    skipped: int
    files: tuple[str, ...]


class _Decision(msgspec.Struct):
    """What a recording needs of a decision's value."""

    id: str = ""
    outcome: str = ""
    model: dict[str, str] = {}


class BesideRecorder:
    """Records a pipeline's input and output topics; the pipeline does not know.

    Args:
        config: the pipeline.
        path: the file.
        clock: the time.
    """

    def __init__(self, config: PipelineConfig, path: Path, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        options = config.record
        metadata = metadata_of(config, (), (), "record")
        redact = options.redact if options else None
        self._queue_bytes = int(options.queue) if options else 64 << 20
        self._recorder = Recorder(
            Job(
                path,
                metadata,
                keep_free=int(options.keep_free) if options else 0,
                redact=redact_of_key(redact, config.key),
                hidden_keys=hidden_keys(config, redact),
            ),
            clock=clock,
            queue_bytes=self._queue_bytes,
        )
        letters = [dead_letter_topic(config), config.outcomes.shed_topic]
        source = self._source = kafka_source(config, "streamproc record")
        sink = kafka_sink(config, "streamproc record")
        outputs = dict.fromkeys(t for t in (sink.topic, *letters) if t is not None)
        self._inputs = TopicTail(Access.of_source(source), source.topics, source, clock)
        access = Access.of_sink(sink, source)
        self._outputs = TopicTail(access, tuple(outputs), source, clock)
        self._tables = TableTopics(config, clock)
        self._records = self._decisions = 0

    @property
    def topics(self) -> list[str]:
        """What is read."""
        return [*self._inputs.topics, *self._outputs.topics]

    @property
    def events(self) -> tuple[int, int]:
        """Records and decisions until now."""
        return self._records, self._decisions

    async def start(self, *, since_ns: int | None) -> None:
        """Connect, and stand at the place to begin.

        Args:
            since_ns: record what is as young; None: what comes from now on.

        Raises:
            ConfigError: an input topic does not exist, or the cluster refuses us.
            ExternalError: it cannot be reached.
        """
        try:
            await self._outputs.start(since_ns=since_ns)
            await self._inputs.start(since_ns=since_ns)
            await self._tables.load(None)
        except BaseException:
            await self._stop_reading()
            raise
        missing = [t for t in self._source.topics if t not in self._inputs.topics]
        if missing:
            await self._stop_reading()
            msg = f"topic {', '.join(missing)} does not exist on {self._source.bootstrap_servers}"
            raise ConfigError(Problem(msg, "source.kafka.topics"))
        self._recorder.start()
        record_tables(self._tables, self._recorder)

    async def run(self, stop: asyncio.Event, *, duration_ns: int | None) -> Recorded:
        """Record until told to stop, or for so long; completes the file whatever happens.

        Raises:
            ExternalError: the cluster failed for good.
        """
        reading = [
            asyncio.create_task(self._read_inputs()),
            asyncio.create_task(self._read_outputs()),
            asyncio.create_task(self._read_tables()),
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            timeout = None if duration_ns is None else duration_ns / NS_PER_S
            done, _ = await asyncio.wait(
                [*reading, stopping], timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            for task in (*reading, stopping):
                task.cancel()
            await asyncio.gather(*reading, stopping, return_exceptions=True)
            await self._stop_reading()
            await self._recorder.close()
        skipped = self._inputs.skipped_total + self._outputs.skipped_total
        files = tuple(self._recorder.files)
        return Recorded(self._records, self._decisions, self._recorder.dropped, skipped, files)

    async def _read_inputs(self) -> None:
        while True:
            for batch in await self._inputs.poll(timeout_ns=_POLL_NS):
                self._recorder.records(batch)
                self._tables.advance(batch.arrival_ns)
                self._records += len(batch)
            await self._room()

    async def _read_outputs(self) -> None:
        while True:
            for batch in await self._outputs.poll(timeout_ns=_POLL_NS):
                self._recorder.decisions(decisions_in(batch))
                self._decisions += len(batch)
            await self._room()

    async def _read_tables(self) -> None:
        await self._tables.follow()
        await asyncio.Event().wait()  # there are none

    async def _room(self) -> None:
        """Nobody waits for us: rather than drop what does not fit, read it later."""
        await asyncio.sleep(0)
        while self._recorder.waiting_bytes > self._queue_bytes // 2:  # noqa: ASYNC110 - seldom
            await asyncio.sleep(_POLL_NS / NS_PER_S)

    async def _stop_reading(self) -> None:
        await self._inputs.stop()
        await self._outputs.stop()
        await self._tables.close()


def decisions_in(batch: RecordBatch) -> list[RecordedDecision]:
    """What records of an output topic say of the inputs that they are about."""
    topic, partition = batch.source
    return [
        _decision(topic, batch.arrival_ns, key, value, batch.headers.get(row, ()))._replace(
            position=(partition, offset)
        )
        for row, (offset, key, value) in enumerate(
            zip(batch.offset.tolist(), batch.key, batch.value, strict=True)
        )
    ]


def _decision(
    topic: str, at_ns: int, key: bytes | None, value: bytes | None, headers: Headers
) -> RecordedDecision:
    told = {name: (text or b"").decode(errors="replace") for name, text in headers}
    found, said = told.get(SOURCE_HEADER, ""), _Decision()
    if not found and value is not None:
        said = _said(value)
        found = said.id
    source, offset, row = _coordinates(found)
    outcome = _OUTCOMES.get(told.get(OUTCOME_HEADER) or said.outcome, Outcome.ON_TIME)
    return RecordedDecision(
        at_ns,
        topic,
        source,
        offset,
        row,
        outcome,
        told.get(REASON_HEADER, ""),
        "",
        said.model.get("variant", ""),
        key,
        value,
        headers,
    )


def _said(value: bytes) -> _Decision:
    """What a decision of JSON says; nothing where it is another kind of value."""
    try:
        return msgspec.json.decode(value, type=_Decision)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Decision()


def _coordinates(text: str) -> tuple[TopicPartition, int | None, int | None]:
    """``topic/partition/offset`` or ``topic/partition/offset/row``; nowhere where it is neither."""
    topic, *numbers = text.split("/")  # a topic's name has no slash
    if len(numbers) < _ID_PARTS or not all(n.isdecimal() for n in numbers):
        return _NOWHERE, None, None
    partition, offset, *row = map(int, numbers)
    return TopicPartition(topic, partition), offset, row[0] if row else None


def as_json(recorded: Recorded) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "records": recorded.records,
        "decisions": recorded.decisions,
        "dropped": recorded.dropped,
        "skipped": recorded.skipped,
        "files": list(recorded.files),
    }
