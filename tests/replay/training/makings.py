"""Recordings of a live service, with the features that it made, and feature functions good and bad."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from streamproc.codecs import JsonCodec
from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.core import EventBatch, RecordBatch, SystemClock
from streamproc.engine import EventTime, PythonFunction, ScheduleLog
from streamproc.replay.training import FeatureRows
from streamproc.runtime import Assembly, Pipeline, Service
from streamproc.runtime.assembly import dead_letter_topic
from streamproc.testing import MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within

EVENTS = 300


def honest(batch: EventBatch) -> Any:
    """Of the event's own row."""
    return np.stack([np.log1p(batch["x"]), np.sin(batch["x"])], axis=1)


def peeking(batch: EventBatch) -> Any:
    """The value of the next event of the batch: a leak."""
    return np.append(batch["x"][1:], 0.0)[:, np.newaxis]


def averaging(batch: EventBatch) -> Any:
    """Less the batch's mean, as one writes it in a notebook: a leak as well."""
    return (batch["x"] - batch["x"].mean())[:, np.newaxis]


def of(function: Callable[[EventBatch], Any], **changes: Any) -> Pipeline:
    """A pipeline with these features."""
    features = PythonFunction(python=f"{__name__}:{function.__name__}")
    changes = {
        "codec": JsonCodec(fields={"x": "float64", "ts": "int64", "quote_ts": "int64"}),
        "event_time": EventTime(field="ts", unit="ms"),
        "features": features,
        "deadline": within("10m"),
        **changes,
    }
    return pipeline(**changes)


class Seen:
    """The features of each event, as bytes."""

    def __init__(self) -> None:
        self.of: dict[str, bytes] = {}

    def take(self, rows: FeatureRows) -> None:
        for place, name in enumerate(rows.ids()):
            assert name not in self.of
            inputs = rows.events.inputs
            self.of[name] = b"".join(inputs[key][place].tobytes() for key in sorted(inputs))

    def made(self, source: Any, events: EventBatch) -> None:
        self.take(FeatureRows(source, events))

    def attach(self, assembly: Assembly, _: Any = None) -> None:
        assembly.feature_taps.append(self)


class _Kept(MemorySource):
    """Keeps what it gave."""

    given: list[RecordBatch]

    @override
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        found = await super().poll(timeout_ns=timeout_ns, records_max=min(records_max, 50))
        self.given += found
        return found


def produce(broker: MemoryBroker, now_ns: int) -> None:
    """A few hundred events of five keys, just now."""
    now_ms = now_ns // 1_000_000
    for n in range(EVENTS):
        event = {"x": float(n % 37), "ts": now_ms - 5, "quote_ts": now_ms - 10}
        broker.produce("ticks", event, key=f"k{n % 5}".encode(), partition=n % 2)


async def live(
    config: Pipeline,
    recording: Path,
    fill: Callable[[MemoryBroker, int], None] = produce,
    topic: str = "ticks",
) -> Seen:
    """Run a service over events in memory, and record what it read and when; the features that it made.

    Args:
        config: the pipeline.
        recording: where to.
        fill: puts the events into the broker; is told the time.
        topic: theirs.
    """
    clock = SystemClock()
    topics = {topic, config.sink.topic, dead_letter_topic(config)}
    broker = MemoryBroker({name: 2 for name in topics if name}, clock=clock)
    fill(broker, clock.now_ns())
    source = _Kept(broker, [topic], group="p", ends=True)
    source.given = []
    entries: list[bytes] = []
    parts = config.parts(source=source, sink=MemorySink(broker), clock=clock)
    schedule = ScheduleLog(lambda data, _: entries.append(data))
    service = Service(config, replace(parts, schedule=schedule))
    seen = Seen()
    service.on_assembled = seen.attach
    async with asyncio.timeout(120):
        await service.run()
    with CaptureWriter(recording, CaptureMetadata(recording="r"), clock=clock) as writer:
        for batch in source.given:
            writer.records(batch)
        for data in entries:
            writer.schedule(data, clock.now_ns())
    return seen


def records_of(recording: Path) -> Callable[[], Iterable[RecordBatch]]:
    """Reads a recording."""
    return CaptureReader(recording).records
