"""A replay's memory does not grow with the recording."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.replay.playback import CaptureOutput, Playback, arrivals, replay_virtual
from streamproc.testing import FakeExecutor
from tests.replay.playback.recordings import batch, machine, pipeline

SIZE = 200


def peak_bytes(folder: Path, records: int) -> int:
    """The most that a replay of so many records holds, its output included; four partitions, 20,000 records/s."""
    path = folder / f"{records}.mcap"
    with CaptureWriter(path, CaptureMetadata(), durable=False) as writer:
        for number in range(records // SIZE):
            first = number // 4 * SIZE
            writer.records(batch(range(first, first + SIZE), number * 10.0, partition=number % 4))
    capture = CaptureReader(path)
    with CaptureWriter(folder / f"{records}-out.mcap", CaptureMetadata(), durable=False) as writer:
        tracemalloc.start()
        try:
            found = replay_virtual(
                pipeline(),
                arrivals(capture.records, Playback(load=1.5)),
                executors=[FakeExecutor()],
                machine=machine(fixed_ms=1.0, per_event_ms=0.01),
                attach=lambda assembly, now_ns: setattr(
                    assembly.settlement, "tap", CaptureOutput(writer, now_ns)
                ),
            )
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found.accounts.consumed == pytest.approx(1.5 * records, rel=0.05)
    return peak


def test_five_times_the_recording_takes_no_more(tmp_path: Path) -> None:
    small, large = peak_bytes(tmp_path, 8_000), peak_bytes(tmp_path, 40_000)
    assert large < 1.3 * small + 2_000_000


@pytest.mark.slow
def test_a_million_events(tmp_path: Path) -> None:
    small, large = peak_bytes(tmp_path, 50_000), peak_bytes(tmp_path, 1_000_000)
    assert large < 1.3 * small + 2_000_000


def test_batches_are_read_as_they_are_needed() -> None:
    """Two at a time, whatever the load."""
    read = 0

    def reading() -> Iterator[object]:
        nonlocal read
        for number in range(100):
            read += 1
            yield batch([number], number)

    stream = arrivals(reading, Playback(load=3.0))  # type: ignore[arg-type]
    for number in range(30):
        next(stream)
        assert read <= number // 3 + 2
