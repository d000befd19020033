"""The recorder's process, without the process: what it does when the disk does not take it."""

import contextlib
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from streamproc.connectors.capture import CaptureReader, Gap, Redact, frames
from streamproc.connectors.capture.scribe import Job, Scribe
from streamproc.core import NS_PER_S, VirtualClock
from tests.support.captures import METADATA, START_NS, batch_of, outcomes_of


class Pipeline:
    """Remembers what the scribe told."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []

    def __call__(self, report: Mapping[str, Any]) -> None:
        self.told.append(report)

    @property
    def last(self) -> Mapping[str, Any]:
        return self.told[-1]


def records(first: int, count: int = 3) -> frames.Item:
    item: frames.Item = frames.read(
        frames.frame(frames.pack_records(batch_of(count, first=first)))[4:]
    )
    return item


def later(clock: VirtualClock, writing: Scribe, seconds: float = 1.0) -> None:
    clock.advance(int(seconds * NS_PER_S))
    writing.tick()


def offsets(path: Path) -> list[int]:
    return [n for batch in CaptureReader(path).records() for n in batch.offset.tolist()]


def test_it_tells_what_is_on_the_disk(tmp_path: Path) -> None:
    clock, told = VirtualClock(START_NS), Pipeline()
    writing = Scribe(Job(tmp_path / "f.mcap", METADATA), clock, told)
    writing.take(records(0))
    writing.report()
    assert told.last["safe"] == {}
    later(clock, writing)
    assert told.last["safe"] == {"records": 3}
    writing.close()
    assert told.last["files"] == [str(tmp_path / "f.mcap")]


@contextlib.contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The system refuses to write more to a file, as it does where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_is_survived_and_the_gap_is_marked(tmp_path: Path) -> None:
    clock, told = VirtualClock(START_NS), Pipeline()
    writing = Scribe(Job(tmp_path / "f.mcap", METADATA), clock, told)
    writing.take(records(0))
    later(clock, writing)
    part = tmp_path / "f.mcap.part"
    whole = part.read_bytes()
    with no_file_longer_than(len(whole) + 40):
        writing.take(records(3))
        later(clock, writing)
        assert "too large" in str(told.last["trouble"])
        assert part.read_bytes() == whole  # nothing half written is left behind
        writing.take(records(6))
        writing.take(frames.pack_gap(Gap(0, 1, "queue_full", {"records": 1})))
        later(clock, writing, 2)
        assert told.last["lost"] == {"records": 6}
        assert told.last["trouble"] is not None  # tried again only after a while
    later(clock, writing, 4)
    assert told.last["trouble"] is None
    writing.take(records(9))
    writing.close()
    assert told.last["files"] == [str(tmp_path / "f-0002.mcap")]
    assert told.last["safe"] == {"records": 6}
    assert offsets(tmp_path) == [0, 1, 2, 9, 10, 11]
    (gap,) = CaptureReader(tmp_path).gaps()
    assert (gap.reason, gap.dropped) == (
        "disk_full",
        {"records": 7},
    )  # with those of the pipeline's own gap
    assert gap.start_ns == START_NS + 2 * NS_PER_S


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    clock, told = VirtualClock(START_NS), Pipeline()
    (tmp_path / "folder").write_text("a file")
    writing = Scribe(Job(tmp_path / "folder" / "f.mcap", METADATA), clock, told)
    assert "exists" in str(told.last["trouble"])
    writing.take(records(0))
    writing.close()
    assert told.last["lost"] == {"records": 3}


def test_recording_pauses_before_the_disk_is_full(tmp_path: Path) -> None:
    """The file is completed while there is room for its end."""
    clock, told = VirtualClock(START_NS), Pipeline()
    free = 10 << 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scribe, "_free", lambda self: free)
        writing = Scribe(Job(tmp_path / "f.mcap", METADATA, keep_free=1 << 20), clock, told)
        writing.take(records(0))
        free = 1 << 10
        later(clock, writing, 2)
        assert "are free" in str(told.last["trouble"])
        assert CaptureReader(tmp_path / "f.mcap").summary.truncated is None
        writing.take(records(3))
        free = 10 << 20
        later(clock, writing, 6)
        writing.take(records(6))
        writing.close()
    assert told.last["lost"] == {"records": 3}
    assert offsets(tmp_path / "f.mcap") == [0, 1, 2]
    assert offsets(tmp_path / "f-0002.mcap") == [6, 7, 8]
    assert [g.dropped for g in CaptureReader(tmp_path).gaps()] == [{"records": 3}]


def test_what_is_recorded_is_redacted(tmp_path: Path) -> None:
    redact = Redact(secret="0123456789abcdef", keys=True, drop=["n"])
    writing = Scribe(
        Job(tmp_path / "f.mcap", METADATA, redact=redact), VirtualClock(START_NS), Pipeline()
    )
    writing.take(records(0))
    writing.take(
        frames.read(frames.frame(frames.pack_outcomes(outcomes_of(2)))[frames.LENGTH_BYTES :])
    )
    writing.close()
    capture = CaptureReader(tmp_path / "f.mcap")
    (batch,) = capture.records()
    assert batch.value == [b"{}"] * 3
    assert b"k0" not in batch.key
    assert len(list(capture.outcomes())) == 1
