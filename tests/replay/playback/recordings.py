"""Small recordings in memory, and the pipeline that they are played through."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from streamproc.codecs import JsonCodec
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import Duration, Headers, RecordBatch, TopicPartition
from streamproc.engine import Deadline
from streamproc.executors import Model, Simulated
from streamproc.replay.playback import ReplayMachine
from streamproc.runtime import Pipeline
from streamproc.telemetry import Metrics, Telemetry

MS = 1_000_000
START_NS = 1_700_000_000_000 * MS


def pipeline(**changes: Any) -> Pipeline:
    """``ticks`` with a number ``x`` to ``decisions``, within 50 ms of the record's timestamp."""
    parts: dict[str, Any] = {
        "name": "p",
        "source": KafkaSource(topics=("ticks",)),
        "codec": JsonCodec(fields={"x": "float32"}),
        "features": ("x",),
        "model": Model(executor=Simulated()),
        "sink": KafkaSink(topic="decisions"),
        "deadline": Deadline(budget=Duration.parse("50ms")),
        "telemetry": Telemetry(metrics=Metrics(listen=None)),
    }
    return Pipeline(**(parts | changes))


def batch(
    offsets: Sequence[int],
    at_ms: float,
    *,
    partition: int = 0,
    lag_ms: float = 1.0,
    keys: Sequence[bytes | None] | None = None,
    values: Sequence[bytes | None] | None = None,
    headers: dict[int, Headers] | None = None,
) -> RecordBatch:
    """Records that were fetched at a time after the start, and made shortly before."""
    arrival_ns = START_NS + int(at_ms * MS)
    count = len(offsets)
    return RecordBatch(
        source=TopicPartition("ticks", partition),
        offset=np.array(offsets),
        timestamp_ns=np.full(count, arrival_ns - int(lag_ms * MS)),
        key=list(keys or [b"k"] * count),
        value=list(values or [b'{"x": %d}' % offset for offset in offsets]),
        headers=headers or {},
        arrival_ns=arrival_ns,
        end_position=offsets[-1] + 1,
    )


def steady(count: int, *, every_ms: float = 1.0, size: int = 1) -> list[RecordBatch]:
    """So many batches, one every millisecond or so."""
    return [batch(range(i * size, (i + 1) * size), i * every_ms) for i in range(count)]


def reads(batches: Iterable[RecordBatch]) -> Callable[[], Iterable[RecordBatch]]:
    held = list(batches)
    return lambda: iter(held)


def machine(
    *, fixed_ms: float = 2.0, per_event_ms: float = 0.1, send_ms: float = 1.0
) -> ReplayMachine:
    sizes = range(1, 257)
    run_ns = [int((fixed_ms + per_event_ms * size) * MS) for size in sizes]
    return ReplayMachine(sweeps=[(list(sizes), run_ns)], send_ns=np.array([int(send_ms * MS)]))
