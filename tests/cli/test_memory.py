"""The memory of the commands that read recordings does not grow with them: a million events, five times as many."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streamproc.connectors.capture import (
    CaptureMetadata,
    CaptureWriter,
    OutcomeColumns,
    RecordedDecision,
)
from streamproc.core import Outcome, VirtualClock
from tests.replay.playback.recordings import MS, START_NS, batch

if TYPE_CHECKING:
    from pathlib import Path

SMALL, LARGE = 200_000, 1_000_000
TOGETHER = 250
EVERY_MS = 100
MAY_GROW_BYTES = 48 << 20
"""What allocators keep. Held in memory, the values alone of the events more would take 13 times as much."""
PADDING = "x" * 400
CONFIG = """
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
deadline: {budget: 50ms}
features: [x]
model: {executor: {simulated: {fixed: 2ms, per_event: 100us}}}
sink: {kafka: {topic: decisions}}
"""
_PEAK = """
import resource, sys
from streamproc.cli import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
sys.exit(code)
"""


def made(path: Path, events: int) -> Path:
    """A recording of so many events, each decided; the last ones were late."""
    told = CaptureMetadata(pipeline="p", configuration=CONFIG)
    output = b'{"id": "ticks/0/%d", "key": "k", "output": {"label": "up", "note": "' + PADDING.encode() + b'"}}'  # fmt: skip
    with CaptureWriter(path, told, clock=VirtualClock(START_NS), durable=False) as writer:
        for number in range(events // TOGETHER):
            offsets = range(number * TOGETHER, (number + 1) * TOGETHER)
            values = [b'{"x": %d, "note": "%s"}' % (n, PADDING.encode()) for n in offsets]
            one = batch(offsets, EVERY_MS * number, values=values)
            writer.records(one)
            sent_ns = one.arrival_ns + 30 * MS
            outcome = Outcome.LATE if offsets[-1] == events - 1 else Outcome.ON_TIME
            writer.decisions(
                RecordedDecision(
                    log_time_ns=sent_ns,
                    topic="decisions",
                    source=one.source,
                    offset=n,
                    row=None,
                    outcome=outcome,
                    key=b"k",
                    value=output % n,
                )
                for n in offsets
            )
            writer.outcomes(
                OutcomeColumns(
                    source=one.source,
                    offset=one.offset,
                    outcome=np.full(TOGETHER, outcome, dtype=np.uint8),
                    acknowledged_ns=sent_ns + MS,
                    event_time_ns=one.timestamp_ns,
                    arrival_ns=np.full(TOGETHER, one.arrival_ns),
                    admitted_ns=np.full(TOGETHER, one.arrival_ns + MS),
                )
            )
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "pipeline.yaml").write_text(CONFIG)
    return {events: made(folder / f"{events}.mcap", events) for events in (SMALL, LARGE)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("replay", "{file}", "pipeline.yaml", "--out", "{events}-out.mcap"),
        ("export", "{file}", "--parquet", "{events}-parquet"),
        ("why", "ticks/0/{last}", "pipeline.yaml", "--capture", "{file}"),
        ("diff", "{file}", "{file}"),
    ],
    ids=lambda words: words[0],
)
def test_five_times_the_events_take_no_more(
    recordings: dict[int, Path], words: tuple[str, ...]
) -> None:
    peaks = {}
    for events, path in recordings.items():
        said = [word.format(file=path, events=events, last=events - 1) for word in words]
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, *said, "--json"],
            cwd=path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        peaks[events] = int(done.stderr.splitlines()[-1])
    print({events: f"{peak >> 20} MiB" for events, peak in peaks.items()})
    assert peaks[LARGE] < peaks[SMALL] + MAY_GROW_BYTES
