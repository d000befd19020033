"""The templates that take raw events: live, replayed and exported features are the same, byte for byte."""

import asyncio
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from streamproc.cli.assets import template
from streamproc.cli.demo import recording_of
from streamproc.config import load
from streamproc.connectors.capture import CaptureReader
from streamproc.replay import Playable
from streamproc.replay.playback import answering, replay_recorded
from streamproc.replay.playback.of_capture import schedule_of
from streamproc.replay.training import TrainingJob, export_training, features_of
from streamproc.runtime import Pipeline
from streamproc.testing import MemoryBroker
from tests.engine.pipelines import within
from tests.replay.training.makings import Seen, live, records_of

MS = 1_000_000


def fill(
    recording: Playable, topic: str, first: int, count: int, broker: MemoryBroker, now_ns: int
) -> None:
    """A part of the recording, as if its last event had happened just now; Kafka's times are milliseconds."""
    stamps = recording.timestamp_ns()[first : first + count]
    events = islice(recording.events(), first, first + count)
    for event, stamp_ns in zip(events, stamps.tolist(), strict=True):
        at_ns = (now_ns - int(stamps[-1]) + stamp_ns) // MS * MS
        broker.produce(topic, event.value, key=event.key, timestamp_ns=at_ns)


@pytest.mark.parametrize(
    ("name", "topic", "first", "count", "decided"),
    [
        ("market-quotes", "ticks", 20_000, 3_000, slice(300, 1_500)),
        ("sensor-samples", "samples", 0, 9_000, slice(60, 140)),
    ],
)
def test_live_replayed_and_exported_features_are_the_same_bytes(
    name: str, topic: str, first: int, count: int, decided: slice, tmp_path: Path
) -> None:
    loaded = load(template(name) / "pipeline.yaml", environ={})
    pipeline = Pipeline.from_file(loaded)
    config = replace(pipeline, deadline=within("10m"), telemetry=replace(pipeline.telemetry, metrics=replace(pipeline.telemetry.metrics, listen=None)))  # fmt: skip
    day = tmp_path / "day.mcap"
    seen = asyncio.run(
        live(config, day, partial(fill, recording_of(name), topic, first, count), topic)
    )
    assert decided.start < len(seen.of) < decided.stop

    virtual = Seen()
    features_of(config, records_of(day), virtual.take)
    assert virtual.of == seen.of

    again = Seen()
    capture = CaptureReader(day)
    executors = answering(config)
    schedule = schedule_of(capture)
    replay_recorded(config, capture.records(), schedule, executors=executors, attach=again.attach)
    assert again.of == seen.of

    out = tmp_path / "features.parquet"
    exported = export_training(
        TrainingJob(
            config=config,
            config_text=loaded.source_text,
            records=records_of(day),
            recording="r",
            out=out,
            look_ahead_max=500,
        )
    )
    assert exported.leaks == ()
    found = pq.read_table(out)
    (column,) = [name for name in found.column_names if name.startswith("feature.")]
    flat = found.column(column).combine_chunks().flatten()
    while hasattr(flat, "flatten") and flat.type.num_fields:
        flat = flat.flatten()
    matrix = flat.to_numpy().reshape(found.num_rows, -1)
    rows = dict(zip(found.column("id").to_pylist(), matrix, strict=True))
    assert {name: np.ascontiguousarray(row).tobytes() for name, row in rows.items()} == seen.of
