"""Recording inside the service: what the pipeline's parts tell, in the words of a recording."""

import logging
import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from streamproc.config import PipelineConfig, hidden_kind, redact_of_key, written
from streamproc.connectors.capture import (
    CaptureMetadata,
    Job,
    KeyKind,
    OutcomeColumns,
    Record,
    RecordedModel,
    Recorder,
    Redact,
    Rotation,
    SentBatch,
)
from streamproc.connectors.kafka import KafkaSource
from streamproc.core import (
    NS_PER_S,
    BoolArray,
    Clock,
    ConfigError,
    Int64Array,
    ModelInfo,
    Outcome,
    OutRecords,
    Problem,
    TopicPartition,
)
from streamproc.engine import Settled
from streamproc.executors import OnnxRuntime
from streamproc.runtime.lookup_tables import topic_lookups
from streamproc.runtime.machine import machine_facts
from streamproc.runtime.table_topics import TableTopics

log = logging.getLogger(__name__)


class RecordingTap:
    """Hands on to a recorder what the settlement tells; see ``engine.Tap``.

    Args:
        recorder: takes it.
        clock: the instant at which something is sent.
    """

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    def sent(
        self, source: TopicPartition, offset: Int64Array, records: OutRecords, settled: Settled
    ) -> None:
        """Records are about to be sent."""
        self._recorder.sent(sent_batch(source, offset, records, settled, self._clock.now_ns()))

    def ended(
        self,
        source: TopicPartition,
        offset: Int64Array,
        settled: Settled,
        missed: BoolArray,
        final_ns: int,
    ) -> None:
        """Outcomes are final."""
        self._recorder.outcomes(outcome_columns(source, offset, settled, missed, final_ns))


def sent_batch(
    source: TopicPartition,
    offset: Int64Array,
    records: OutRecords,
    settled: Settled,
    now_ns: int,
) -> SentBatch:
    """What is sent, as a recording tells it.

    Args:
        source: the partition of the events.
        offset: int64 [n], of their records.
        records: what is sent.
        settled: what becomes of the events.
        now_ns: when they were handed over, where nothing was decided.
    """
    decided = settled.decided
    return SentBatch(
        now_ns if decided is None else decided.handed_ns,
        records.topic,
        source,
        offset if len(records) == len(offset) else None,
        settled.row,
        settled.outcome,
        str(settled.reason),
        settled.lane,
        None if decided is None else decided.variant,
        records.key,
        records.value,
        records.headers,
        records.row_headers,
    )


def outcome_columns(
    source: TopicPartition,
    offset: Int64Array,
    settled: Settled,
    missed: BoolArray,
    final_ns: int,
) -> OutcomeColumns:
    """What became of events, as a recording tells it; see ``engine.Tap.ended``."""
    outcome = np.full(len(offset), settled.outcome, np.uint8)
    if missed.any():
        outcome[missed] = Outcome.LATE
    reason = str(settled.reason)
    decided = settled.decided
    if decided is None:
        way = settled.passage
        return OutcomeColumns(
            source,
            offset,
            outcome,
            final_ns,
            settled.row,
            reason,
            settled.lane,
            event_time_ns=None if way is None else way.event_time_ns,
            arrival_ns=None if way is None else way.arrival_ns,
            admitted_ns=None if way is None else way.admitted_ns,
            deadline_ns=None if way is None else way.deadline_ns,
        )
    events = decided.events
    return OutcomeColumns(
        source,
        offset,
        outcome,
        final_ns,
        settled.row,
        reason,
        settled.lane,
        decided.variant,
        events.event_time_ns,
        events.arrival_ns,
        events.admitted_ns,
        events.deadline_ns,
        decided.started_ns,
        decided.decided_ns,
        None if decided.topic is None else decided.handed_ns,
    )


def metadata_of(
    config: PipelineConfig, models: Sequence[ModelInfo], lanes: Sequence[str], recorded_by: str
) -> CaptureMetadata:
    """What a recording says of its pipeline.

    Args:
        config: the pipeline.
        models: what runs, the best variant first; empty where none is loaded.
        lanes: the names of its lanes.
        recorded_by: ``service``, ``record`` or ``replay``.
    """
    facts = machine_facts() if models else {}
    if models:
        executor = config.model.executor
        threads = executor.intra_op_threads if isinstance(executor, OnnxRuntime) else 1
        facts |= {"provider": models[0].runs_on, "threads": str(threads)}
    return CaptureMetadata(
        pipeline=config.name,
        recorded_by=recorded_by,
        configuration=written(config),
        models=tuple(map(RecordedModel.of, models)),
        lanes=tuple(lanes),
        machine=facts,
        source=config.source.bootstrap_servers if isinstance(config.source, KafkaSource) else "",
        recording=uuid.uuid4().hex[:8],  # noqa: TID251 - tells recordings apart
    )


def recorder_of(
    config: PipelineConfig, options: Record, metadata: CaptureMetadata, clock: Clock
) -> Recorder:
    """What records a pipeline while it runs; not started yet.

    Args:
        config: the pipeline.
        options: what the user set of recording.
        metadata: what the recording says of the pipeline.
        clock: the pipeline's time.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    folder = Path(options.path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"cannot make the folder {folder}: {error.strerror or error}"
        raise ConfigError(Problem(text, "record.path")) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        text = f"cannot write to the folder {folder}"
        raise ConfigError(Problem(text, "record.path"))
    begun = datetime.fromtimestamp(clock.now_ns() / NS_PER_S, UTC).strftime("%Y%m%dT%H%M%SZ")
    job = Job(
        folder / f"{config.name}-{begun}-{metadata.recording}.mcap",
        metadata,
        rotation=Rotation(int(options.rotate_size), int(options.rotate_every)),
        keep_free=int(options.keep_free),
        redact=redact_of_key(options.redact, config.key),
        hidden_keys=hidden_keys(config, options.redact),
    )
    return Recorder(job, clock=clock, queue_bytes=int(options.queue))


def hidden_keys(config: PipelineConfig, redact: Redact | None) -> dict[str, KeyKind]:
    """The lookups whose tables' keys become pseudonyms, as the field does that is looked for among them."""
    redact = redact_of_key(redact, config.key)
    if redact is None:
        return {}
    kinds = {
        lookup.as_: hidden_kind(config.codec, redact, lookup.field)
        for _, lookup in topic_lookups(config)
    }
    return {name: kind for name, kind in kinds.items() if kind is not None}


def record_tables(tables: TableTopics, recorder: Recorder) -> None:
    """Record what the tables of lookups hold, and how they change from now on."""
    if tables.feed is not None:
        recorder.all_tables = tables.all_told
        recorder.tables_anew()
        tables.record = recorder.table
