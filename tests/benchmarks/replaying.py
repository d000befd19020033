"""How fast a recording replays on the virtual clock, and how late its batches are at its own pace.

python -m tests.benchmarks.replaying
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from streamproc.connectors.capture import CaptureMetadata, CaptureWriter
from streamproc.core import NS_PER_MS, NS_PER_S, RecordBatch, TopicPartition, VirtualClock
from tests.benchmarks.conditions import RESULTS, machine, write_result
from tests.integration.pipelines import TICK, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEGAN_NS = 1_700_000_000 * NS_PER_S
FETCH_MS = 10
TIMES_MIN = 50.0
"""How many times faster than real time the virtual clock must be."""
LAG_P99_MAX_MS = 5.0


def fetches(seconds: float, rate: int) -> Iterator[RecordBatch]:
    """Ticks at a steady rate, as the fetches of four partitions in turn would give them."""
    together = max(1, rate * FETCH_MS // 1_000)
    count = int(seconds * rate) // together
    messages = TICK.messages(count * together)
    for number in range(count):
        arrival_ns = BEGAN_NS + number * together * NS_PER_S // rate
        some = [next(messages) for _ in range(together)]
        first = number // 4 * together
        yield RecordBatch(
            source=TopicPartition("ticks", number % 4),
            offset=np.arange(first, first + together),
            timestamp_ns=np.full(together, arrival_ns - 2 * NS_PER_MS),
            key=[message.key for message in some],
            value=[message.value for message in some],
            headers={},
            arrival_ns=arrival_ns,
            end_position=first + together,
        )


def replay(folder: Path, *words: str) -> dict[str, Any]:
    """What the command says; it says it without a broker."""
    command = [sys.executable, "-m", "streamproc", "replay", "day.mcap", "ticks.yaml", "--json"]
    done = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Both, so many rounds each."""
    with tempfile.TemporaryDirectory(prefix="streamproc-bench-") as name:
        folder = Path(name)
        write_config(folder, name="ticks", bootstrap="127.0.0.1:1", topic="ticks", sink="out")
        clock = VirtualClock(BEGAN_NS)
        with CaptureWriter(folder / "day.mcap", CaptureMetadata(), clock=clock, durable=False) as writer:  # fmt: skip
            for one in fetches(options.seconds, options.rate):
                writer.records(one)
        times, lags = [], []
        for _ in range(options.rounds):
            found = replay(folder, "--clock", "virtual")
            times.append(options.seconds / found["replay"]["took_s"])
        end = f"{min(options.seconds, options.paced):g}s"
        for _ in range(options.rounds):
            found = replay(folder, "--clock", "wall", "--speed", "1", "--end", end)
            lags.append(found["replay"]["schedule_lag_ms"])
    return {"times_real_time": times, "schedule_lag_ms": lags}


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="replaying", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the recording (default: %(default)s)")  # fmt: skip
    parser.add_argument("--rate", type=int, default=1_000, help="events a second (default: %(default)s)")  # fmt: skip
    parser.add_argument("--paced", type=float, default=60.0, help="seconds of it at its own pace (default: %(default)s)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="short: whether it works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args(words)
    if options.quick:
        options.seconds, options.paced, options.rounds = 10.0, 2.0, 1
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Run, print and write it; the exit status is 1 where a median is beyond its limit, unless it was quick."""
    options = arguments(words)
    began = datetime.now(UTC)
    found = measured(options)
    times, lags = found["times_real_time"], [lag["p99"] for lag in found["schedule_lag_ms"]]
    what = f"{options.seconds:g} s of {options.rate:,} events/s"
    print(f"{what}: virtual clock {median(times):,.0f} times real time ({min(times):,.0f} to {max(times):,.0f})")  # fmt: skip
    print(f"--speed 1: schedule lag p99 {median(lags):.2f} ms ({min(lags):.2f} to {max(lags):.2f})")
    settings = {name: getattr(options, name) for name in ("seconds", "rate", "paced", "rounds")}
    file = write_result(options.out, "replaying", began, {"settings": settings, **found})
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    good = median(times) >= TIMES_MIN and median(lags) < LAG_P99_MAX_MS
    return int(not good and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
