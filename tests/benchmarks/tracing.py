"""What traces of a share of the events cost: CPU time an event with them and without, in pairs, on one real Kafka broker.

`make bench`, or `python -m tests.benchmarks.tracing --help`. README.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.benchmarks.conditions import RESULTS, machine, write_result
from tests.benchmarks.programs import PROGRAMS, streamproc_program
from tests.benchmarks.throughput import Bench, Run
from tests.benchmarks.workloads import WORKLOADS
from tests.support.kafka import BENCH_JVM, KafkaBroker, why_unavailable
from tests.support.otlp import OtlpReceiver

WORKLOAD = WORKLOADS["tick"]
TRACED = "streamproc-traced"


@dataclass
class Pair:
    """Two runs, one behind the other.

    Attributes:
        plain: without traces.
        traced: with them.
        traces: how many the collector was given.
    """

    plain: Run
    traced: Run
    traces: int

    @property
    def ratio(self) -> float:
        """CPU time an event with traces, over that without."""
        return self.traced.life_cost / self.plain.life_cost

    @property
    def work_ratio(self) -> float:
        """The same from joining the group to the end: without start and shut-down."""
        return _work_s(self.traced) / _work_s(self.plain)

    @property
    def fault(self) -> str:
        """What makes the pair worthless; empty if nothing."""
        return "; ".join(filter(None, (self.plain.fault, self.traced.fault)))


def _work_s(run: Run) -> float:
    return float(run.summary["cpu_s"]) if run.summary else float("nan")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tracing", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--pairs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--ratio", type=float, default=0.01, help="traced (default: %(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="one pair of 100,000: whether it works"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    if options.quick:
        options.events, options.pairs = 100_000, 1
    return options


def run_all(options: argparse.Namespace) -> list[Pair]:
    pairs = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamproc-bench-"))
        broker = stack.enter_context(KafkaBroker(jvm=BENCH_JVM))
        collector = stack.enter_context(OtlpReceiver())
        PROGRAMS[TRACED] = streamproc_program(
            {
                "telemetry": {
                    "metrics": {"listen": "127.0.0.1:0"},
                    "traces": {"otlp": collector.http, "ratio": options.ratio, "always": []},
                }
            }
        )
        bench = Bench(broker, Path(folder))
        bench.run("streamproc", WORKLOAD, options.events, number=0)  # unmeasured: all get warm
        for number in range(1, options.pairs + 1):
            order = ("streamproc", TRACED) if number % 2 else (TRACED, "streamproc")
            collector.requests.clear()
            runs = {name: bench.run(name, WORKLOAD, options.events, number) for name in order}
            pair = Pair(runs["streamproc"], runs[TRACED], _traces(collector))
            pairs.append(pair)
            print(
                f"pair {number}: CPU time {pair.work_ratio:.3f} (life {pair.ratio:.3f}), "
                f"{pair.traces:,} traces {pair.fault}".rstrip(),
                file=sys.stderr,
            )
    return pairs


def _traces(collector: OtlpReceiver) -> int:
    return len({span.trace_id for span in collector.spans()})


def main() -> int:
    """Run, print and write it; the exit status is 1 if any decision is missing or wrong."""
    options = arguments()
    if (lacking := why_unavailable()) is not None:
        print(lacking, file=sys.stderr)
        return 2
    began = datetime.now(UTC)
    pairs = run_all(options)
    work, life = [pair.work_ratio for pair in pairs], [pair.ratio for pair in pairs]
    print(
        f"\n{options.ratio:.1%} of the events traced, {len(pairs)} pairs: CPU time with / without: "
        f"median {median(work):.3f} ({min(work):.3f}-{max(work):.3f}); with start and shut-down "
        f"{median(life):.3f} ({min(life):.3f}-{max(life):.3f}); "
        f"{median([pair.traces for pair in pairs]):,.0f} of about {options.ratio * options.events:,.0f} traces arrived"
    )
    found = {
        "settings": {"pairs": options.pairs, "events": options.events, "ratio": options.ratio},
        "summary": {
            "cpu_with_over_without": round(median(work), 4),
            "life_cpu_with_over_without": round(median(life), 4),
            "traces": median([pair.traces for pair in pairs]),
        },
        "pairs": [asdict(pair) | {"work_ratio": pair.work_ratio} for pair in pairs],
    }
    file = write_result(options.out, "tracing", began, found)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    return 1 if any(pair.fault for pair in pairs) else 0


if __name__ == "__main__":
    sys.exit(main())
