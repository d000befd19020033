"""What it costs to record all that goes in and out: CPU time and p99 with it and without, in pairs, at a fixed rate.

`make bench BENCH=recording`, or `python -m tests.benchmarks.recording --help`. README.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from streamproc.connectors.capture import CaptureReader
from tests.benchmarks.conditions import RESULTS, machine, write_result
from tests.benchmarks.latency import FIRST_EVENTS, Bench
from tests.benchmarks.latency_runs import Run
from tests.benchmarks.programs import PROGRAMS, streamproc_program
from tests.support.kafka import BENCH_JVM, KafkaBroker, why_unavailable

RECORDED = "streamproc-recorded"
CPU_US_MAX = 2.0
P99_RATIO_MAX = 1.25


@dataclass
class Pair:
    """Two runs, one behind the other.

    Attributes:
        plain: without recording.
        recorded: with it.
        lacking: what the recording lacks; empty where it is whole.
    """

    plain: Run
    recorded: Run
    lacking: str

    @property
    def process_us(self) -> float:
        """CPU time an event that recording takes of the pipeline's process."""
        return self.recorded.own_cpu_us - self.plain.own_cpu_us

    @property
    def all_us(self) -> float:
        """The same of all processes, the recorder's too."""
        return self.recorded.cpu_us - self.plain.cpu_us

    @property
    def p99_ratio(self) -> float:
        """The p99 with recording, over that without."""
        return self.recorded.p99_ms / self.plain.p99_ms if self.plain.p99_ms else float("nan")

    @property
    def held(self) -> bool:
        """Whether the generator held its rate in both."""
        return self.plain.held and self.recorded.held

    @property
    def fault(self) -> str:
        """What makes the pair worthless; empty if nothing."""
        return "; ".join(filter(None, (self.plain.fault, self.recorded.fault, self.lacking)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="recording", description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="default: %(default)s")
    parser.add_argument("--pairs", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=8.0, help="default: %(default)s")
    parser.add_argument("--warm-up", type=float, default=2.0, help="default: %(default)s")
    parser.add_argument("--tries", type=int, default=3, help="of a pair (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one short pair: whether it works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    if options.quick:
        options.rate, options.pairs, options.tries = 2_000, 1, 1
        options.seconds, options.warm_up = 2.0, 1.0
    return options


def run_all(options: argparse.Namespace) -> list[Pair]:
    pairs = []
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-bench-") as folder,
        KafkaBroker(jvm=BENCH_JVM) as broker,
    ):
        recordings = Path(folder) / "recordings"
        PROGRAMS[RECORDED] = streamproc_program(
            {"record": {"path": str(recordings)}}, by_default=False
        )
        seconds = {"warm_up_s": options.warm_up, "measured_s": options.seconds}
        bench = Bench(broker, Path(folder), **seconds)
        bench.run("streamproc", options.rate, number=0)  # unmeasured: all get warm
        events = FIRST_EVENTS + int(options.rate * sum(seconds.values()))
        for number in range(1, options.pairs + 1):
            pair = None
            for _ in range(options.tries):
                pair = run_pair(bench, options.rate, number, recordings, events)
                print(_line(number, pair), file=sys.stderr)
                if pair.held:
                    break
            if pair is not None:
                pairs.append(pair)
    return pairs


def run_pair(bench: Bench, rate: int, number: int, recordings: Path, events: int) -> Pair:
    """Two runs; the recording is read back, and removed."""
    order = ("streamproc", RECORDED) if number % 2 else (RECORDED, "streamproc")
    shutil.rmtree(recordings, ignore_errors=True)
    runs = {program: bench.run(program, rate, number) for program in order}
    return Pair(runs["streamproc"], runs[RECORDED], lacking_in(recordings, events))


def lacking_in(recordings: Path, events: int) -> str:
    """What a recording lacks of so many events, each decided."""
    capture = CaptureReader(recordings)
    found: Counter[str] = Counter()
    found["records"] = capture.summary.records_total
    found["decisions"] = capture.summary.counts.get("decisions", 0)
    found["outcomes"] = sum(map(len, capture.outcomes()))
    lacking = [f"{events - n} of the {kind}" for kind, n in found.items() if n != events]
    lacking += [f"a gap: {gap.reason}" for gap in capture.summary.gaps]
    if capture.summary.truncated:
        lacking.append(capture.summary.truncated)
    return f"the recording lacks {', '.join(lacking)}" if lacking else ""


def _line(number: int, pair: Pair) -> str:
    held = "" if pair.held else " (rate not held)"
    return (
        f"pair {number}: the pipeline's process {pair.process_us:+.2f} us an event, all {pair.all_us:+.2f}; "
        f"p99 {pair.plain.p99_ms:.2f} -> {pair.recorded.p99_ms:.2f} ms ({pair.p99_ratio:.2f}){held} {pair.fault}"
    ).rstrip()


def summarise(pairs: list[Pair]) -> dict[str, Any]:
    """Medians of the pairs, with the least and the most."""

    def spread(values: list[float]) -> dict[str, float]:
        found = {"median": median(values), "min": min(values), "max": max(values)}
        return {name: round(value, 3) for name, value in found.items()}

    return {
        "process_us": spread([pair.process_us for pair in pairs]),
        "all_us": spread([pair.all_us for pair in pairs]),
        "p99_ratio": spread([pair.p99_ratio for pair in pairs]),
        "held": sum(pair.held for pair in pairs),
        "pairs": len(pairs),
    }


def main() -> int:
    """Run, print and write it; the exit status is 1 where something is lacking, or above its limit."""
    options = arguments()
    if (lacking := why_unavailable()) is not None:
        print(lacking, file=sys.stderr)
        return 2
    began = datetime.now(UTC)
    pairs = run_all(options)
    found = summarise(pairs)
    process, ratio = found["process_us"], found["p99_ratio"]
    print(
        f"\nrecording at {options.rate:,} events/s, {found['pairs']} pairs ({found['held']} held): CPU of the pipeline's "
        f"process {process['median']:+.2f} us an event ({process['min']:+.2f} to {process['max']:+.2f}), of all processes "
        f"{found['all_us']['median']:+.2f}; p99 with / without {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
    )
    settings = {"rate": options.rate, "pairs": options.pairs, "seconds": options.seconds}
    told = [
        asdict(pair) | {"process_us": pair.process_us, "p99_ratio": pair.p99_ratio}
        for pair in pairs
    ]
    result = {"settings": settings, "summary": found, "pairs": told}
    file = write_result(options.out, "recording", began, result)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    kept = process["median"] <= CPU_US_MAX and ratio["median"] <= P99_RATIO_MAX
    return 0 if kept and not any(pair.fault for pair in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
