"""Recordings and JSON lines as sources: what comes, when, and under which name."""

import gzip
import json
from pathlib import Path

import pytest

from streamproc.connectors.capture import CaptureMetadata, CaptureWriter
from streamproc.connectors.files import CaptureSource, EventTimes, FileSource, played_source
from streamproc.core import ConfigError, RecordBatch, SystemClock
from tests.connectors.playback.test_played import Listener

NO_TIMES = EventTimes(None, "ms")


async def read(
    options: CaptureSource | FileSource, times: EventTimes = NO_TIMES
) -> list[RecordBatch]:
    source = played_source(options, times, clock=SystemClock())
    await source.start(Listener())
    batches = []
    while not source.exhausted():
        batches += await source.poll(timeout_ns=1_000_000, records_max=10)
    await source.stop()
    return batches


def lines(path: Path, *events: object) -> str:
    text = "".join(f"{e if isinstance(e, str) else json.dumps(e)}\n" for e in events)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


async def test_an_event_comes_when_it_happened(tmp_path: Path) -> None:
    path = lines(tmp_path / "events.jsonl.gz", {"at": 1_000_000}, {"at": 1_002_000})
    first, second = await read(FileSource(path, speed="max"), EventTimes("at", "us"))
    assert first.source == ("events", 0)
    assert [*first.timestamp_ns, *second.timestamp_ns] == [1_000_000_000, 1_002_000_000]
    assert [*first.offset, *second.offset] == [0, 1]
    assert json.loads(second.value[0] or b"") == {"at": 1_002_000}


async def test_a_record_keeps_its_coordinates_and_its_milliseconds(tmp_path: Path) -> None:
    told = {"topic": "t", "partition": 3, "offset": 7, "ts": 1_000, "key": "k", "payload": "v"}
    (batch,) = await read(FileSource(lines(tmp_path / "f.jsonl", told)), EventTimes("at", "us"))
    assert (batch.source, batch.offset[0]) == (("t", 3), 7)
    assert (batch.key, batch.value, batch.timestamp_ns[0]) == ([b"k"], [b"v"], 1_000_000_000)


async def test_a_line_that_is_no_record_is_left_to_the_codec(tmp_path: Path) -> None:
    path = lines(tmp_path / "f.jsonl", {"at": 1}, "no json", "[1]", {"at": 2})
    batches = await read(FileSource(path, rate=1e6))
    assert [value for batch in batches for value in batch.value] == [
        b'{"at":1}',
        b"no json",
        b"[1]",
        b'{"at":2}',
    ]
    assert [offset for batch in batches for offset in batch.offset] == [0, 1, 2, 3]


async def test_a_recording_plays_the_topics_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "day.mcap"
    (one,) = await read(FileSource(lines(tmp_path / "f.jsonl", {"topic": "a", "value": "1"})))
    (other,) = await read(FileSource(lines(tmp_path / "f.jsonl", {"topic": "b", "value": "2"})))
    with CaptureWriter(path, CaptureMetadata(recorded_by="import", recording="r")) as writer:
        writer.records(one)
        writer.records(other)
    assert len(await read(CaptureSource(str(path), speed="max"))) == 2
    (batch,) = await read(CaptureSource(str(path), topics=["b"]))
    assert batch.value == [b"2"]
    with pytest.raises(ConfigError, match=r"source\.capture\.topics: 'c' is not in the recording"):
        await read(CaptureSource(str(path), topics=["c"]))
