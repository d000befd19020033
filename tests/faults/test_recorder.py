"""The recorder's process is killed, is slow, or outlives its pipeline: what is on the disk can be read."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import NonSeekingReader

from streamproc.connectors.capture import CaptureReader, Job, Recorder, SentBatch
from streamproc.core import Outcome, SystemClock
from tests.support.captures import METADATA, SOURCE, batch_of, outcomes_of

PATIENCE_S = 60.0


@pytest.fixture
async def recorder_of(tmp_path: Path) -> AsyncIterator[Callable[..., Recorder]]:
    """Starts recorders; they are ended with the test, whatever becomes of it."""
    started: list[Recorder] = []

    def start(queue_bytes: int = 64 << 20) -> Recorder:
        job = Job(tmp_path / "f.mcap", METADATA)
        started.append(Recorder(job, clock=SystemClock(), queue_bytes=queue_bytes))
        started[-1].start()
        return started[-1]

    yield start
    for recorder in started:
        if recorder.process is not None:
            recorder.process.kill()
        await recorder.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.01)


def offsets(path: Path) -> list[int]:
    return [n for batch in CaptureReader(path).records() for n in batch.offset.tolist()]


def safe(recorder: Recorder) -> int:
    return int(recorder.report.get("safe", {}).get("records", 0))


async def test_what_is_handed_over_is_in_a_complete_file(
    tmp_path: Path, recorder_of: Callable[..., Recorder]
) -> None:
    recorder = recorder_of()
    for turn in range(50):
        recorder.records(batch_of(100, first=100 * turn))
        recorder.outcomes(outcomes_of(100, first=100 * turn))
    recorder.sent(
        SentBatch(1, "d", SOURCE, None, None, Outcome.ON_TIME, "", 0, 0, [b"k"], [b"v"], ())
    )
    recorder.schedule(b"entry", 2)
    await recorder.close()
    assert recorder.dropped == 0
    assert recorder.files == [str(tmp_path / "f.mcap")]
    capture = CaptureReader(tmp_path / "f.mcap")
    assert offsets(tmp_path / "f.mcap") == list(range(5000))
    assert capture.summary.truncated is None
    assert capture.summary.counts["outcomes"] == 50
    assert [entry.data for entry in capture.schedule()] == [b"entry"]


async def test_killed_it_loses_less_than_a_second_and_another_goes_on(
    tmp_path: Path, recorder_of: Callable[..., Recorder], caplog: pytest.LogCaptureFixture
) -> None:
    recorder = recorder_of()
    recorder.records(batch_of(100))
    await until(lambda: safe(recorder) == 100)
    process = recorder.process
    assert process is not None
    recorder.records(batch_of(10, first=100))
    process.send_signal(signal.SIGKILL)
    await until(lambda: recorder.process is not process)
    recorder.records(batch_of(100, first=200))  # kept until another takes it
    await until(lambda: safe(recorder) >= 100)
    await recorder.close()
    first, second = tmp_path / "f.mcap.part", tmp_path / "f-0002.mcap"
    assert offsets(first)[:100] == list(range(100))
    assert "cut" in str(CaptureReader(first).summary.truncated)
    with first.open("rb") as file:  # the tools of MCAP read it up to where it was cut
        messages = NonSeekingReader(file).iter_messages(log_time_order=False)
        assert len([next(messages) for _ in range(100)]) == 100
    assert offsets(second)[-100:] == list(range(200, 300))
    lost = {*range(300)} - {*offsets(tmp_path)} - {*range(110, 200)}
    assert recorder.dropped >= len(lost)
    if recorder.dropped:
        assert [gap.reason for gap in CaptureReader(second).gaps()] == ["recorder_lost"]
    assert "the recorder has ended" in caplog.text


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_at_any_moment_what_was_safe_can_be_read(
    tmp_path: Path, recorder_of: Callable[..., Recorder], seed: int
) -> None:
    """``safe`` is what it had waited for (``fsync``), every 0.4 s."""
    rng, recorder, sent = np.random.default_rng(seed), recorder_of(), 0
    await until(lambda: recorder.process is not None)
    process = recorder.process
    assert process is not None
    batches = int(rng.integers(40, 160))
    while sent < 20 * batches or not safe(recorder):
        recorder.records(batch_of(20, first=sent))
        sent += 20
        await asyncio.sleep(0.01)  # a live stream's pace
    told = safe(recorder)
    process.send_signal(signal.SIGKILL)
    await until(lambda: recorder.process is not process)
    path = tmp_path / "f.mcap.part"
    found = offsets(path)
    assert found == list(range(len(found)))
    assert told <= len(found) <= sent
    with path.open("rb") as file:
        messages = NonSeekingReader(file).iter_messages(log_time_order=False)
        assert len(list(itertools.islice(messages, told))) == told
    await recorder.close()
    assert recorder.dropped >= sent - len(offsets(tmp_path))


async def test_what_does_not_fit_is_dropped_counted_and_marked(
    tmp_path: Path, recorder_of: Callable[..., Recorder]
) -> None:
    """While the recorder stands still, the pipeline does not."""
    recorder = recorder_of(queue_bytes=1 << 20)
    await until(lambda: bool(recorder.report))
    process = recorder.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    for turn in range(100):
        recorder.records(batch_of(100, first=100 * turn, value=[bytes(400)] * 100))
        await asyncio.sleep(0)
    dropped = recorder.dropped
    assert 5000 < dropped < 10_000
    process.send_signal(signal.SIGCONT)
    await until(lambda: safe(recorder) == 10_000 - dropped)
    recorder.records(batch_of(1, first=10_000))
    await recorder.close()
    capture = CaptureReader(tmp_path / "f.mcap")
    assert len(offsets(tmp_path / "f.mcap")) == 10_001 - dropped
    (gap,) = capture.summary.gaps
    assert (gap.reason, gap.dropped) == ("queue_full", {"records": dropped})
    assert recorder.dropped == dropped


_PIPELINE = """
import asyncio, os, signal, sys
from pathlib import Path
from streamproc.connectors.capture import Job, Recorder
from streamproc.core import SystemClock
from tests.support.captures import METADATA, batch_of

async def main():
    recorder = Recorder(Job(Path(sys.argv[1]), METADATA), clock=SystemClock(), queue_bytes=1 << 26)
    recorder.start()
    recorder.records(batch_of(50))
    while recorder.report.get("safe", {}).get("records") != 50:
        await asyncio.sleep(0.01)
    recorder.records(batch_of(50, first=50))
    await asyncio.sleep(0.1)  # longer than anything waits in the pipeline
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_pipeline_that_is_killed_leaves_a_complete_file(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _PIPELINE, str(tmp_path / "f.mcap")], env=os.environ, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    until_s = time.monotonic() + PATIENCE_S
    while not (tmp_path / "f.mcap").exists() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert offsets(tmp_path / "f.mcap") == list(range(100))
