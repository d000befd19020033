"""What telemetry costs: CPU time an event with it and without, in pairs, on one real Kafka broker.

With it are traces of a share of the events and always of late, shed, degraded, dead-lettered and the slowest ones, and all
metrics, scraped and pushed; without it neither traces nor endpoints. ``--traces-only`` leaves metrics out on both sides.

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
from tests.benchmarks.neighbours import neighbours
from tests.benchmarks.programs import PROGRAMS, Program, streamproc_program
from tests.benchmarks.throughput import Bench, Run
from tests.benchmarks.workloads import WORKLOADS
from tests.support.kafka import BENCH_JVM, KafkaBroker, why_unavailable
from tests.support.otlp import OtlpReceiver

WORKLOAD = WORKLOADS["tick"]
OFF, TRACED = "streamproc-silent", "streamproc-traced"


@dataclass
class Pair:
    """Two runs, one behind the other.

    Attributes:
        plain: without.
        traced: with them.
        traces: how many the collector was given.
        exports: of metrics, that it was given.
    """

    plain: Run
    traced: Run
    traces: int
    exports: int

    @property
    def ratio(self) -> float:
        """CPU time an event with traces, over that without."""
        return self.traced.life_cost / self.plain.life_cost

    @property
    def work_ratio(self) -> float:
        """The same from joining the group to the end: without start and shut-down."""
        return _work_s(self.traced) / _work_s(self.plain)

    @property
    def batches(self) -> tuple[int, int]:
        """How many micro-batches there were without and with them: where one side has more, it paid for those, too."""
        plain, traced = (run.summary["batches"] if run.summary else 0 for run in (self.plain, self.traced))  # fmt: skip
        return plain, traced

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
        "--traces-only", action="store_true", help="metrics are the same on both sides"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one pair of 100,000: whether it works"
    )
    parser.add_argument(
        "--busy",
        action="store_true",
        help="no thread of the machine is ever idle (README.md says why)",
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    if options.quick:
        options.events, options.pairs = 100_000, 1
    return options


def run_all(options: argparse.Namespace) -> list[Pair]:
    pairs = []
    with ExitStack() as stack:
        if options.busy:
            stack.enter_context(neighbours())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamproc-bench-"))
        broker = stack.enter_context(KafkaBroker(jvm=BENCH_JVM))
        collector = stack.enter_context(OtlpReceiver())
        PROGRAMS[OFF], PROGRAMS[TRACED] = programs(collector.http, options)
        bench = Bench(broker, Path(folder))
        bench.run(OFF, WORKLOAD, options.events, number=0)  # unmeasured: all get warm
        for number in range(1, options.pairs + 1):
            order = (OFF, TRACED) if number % 2 else (TRACED, OFF)
            collector.requests.clear()
            collector.metrics.clear()
            runs = {name: bench.run(name, WORKLOAD, options.events, number) for name in order}
            pair = Pair(runs[OFF], runs[TRACED], _traces(collector), len(collector.metrics))
            pairs.append(pair)
            print(
                f"pair {number}: CPU time {pair.work_ratio:.3f} (life {pair.ratio:.3f}), "
                f"{pair.traces:,} traces, {pair.batches[0]:,} / {pair.batches[1]:,} micro-batches {pair.fault}".rstrip(),
                file=sys.stderr,
            )
    return pairs


def programs(collector: str, options: argparse.Namespace) -> tuple[Program, Program]:
    """The pipeline without telemetry, and with it."""
    endpoints = {"listen": "127.0.0.1:0"}
    traces = {"otlp": collector, "ratio": options.ratio}
    if options.traces_only:
        return (
            streamproc_program({"telemetry": {"metrics": endpoints}}),
            streamproc_program(
                {"telemetry": {"metrics": endpoints, "traces": traces | {"always": []}}}
            ),
        )
    pushed = endpoints | {"otlp": {"endpoint": collector, "interval": "1s"}}
    return (
        streamproc_program({"telemetry": {"metrics": {"listen": None}}}),
        streamproc_program({"telemetry": {"metrics": pushed, "traces": traces}}),
    )


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
    batches = [pair.batches for pair in pairs]
    work, life = [pair.work_ratio for pair in pairs], [pair.ratio for pair in pairs]
    print(
        f"\n{'traces' if options.traces_only else 'all telemetry'}, {options.ratio:.1%} of the events traced, {len(pairs)} pairs: CPU time with / without: "
        f"median {median(work):.3f} ({min(work):.3f}-{max(work):.3f}); with start and shut-down "
        f"{median(life):.3f} ({min(life):.3f}-{max(life):.3f}); "
        f"micro-batches {median([plain for plain, _ in batches]):,.0f} / {median([traced for _, traced in batches]):,.0f}; "
        f"{median([pair.traces for pair in pairs]):,.0f} of about {options.ratio * options.events:,.0f} traces arrived"
    )
    found = {
        "settings": {
            "traces_only": options.traces_only,
            "pairs": options.pairs,
            "events": options.events,
            "ratio": options.ratio,
            "busy": options.busy,
        },
        "summary": {
            "cpu_with_over_without": round(median(work), 4),
            "life_cpu_with_over_without": round(median(life), 4),
            "traces": median([pair.traces for pair in pairs]),
        },
        "pairs": [
            asdict(pair) | {"work_ratio": pair.work_ratio, "batches": pair.batches}
            for pair in pairs
        ],
    }
    file = write_result(options.out, "tracing", began, found)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    return 1 if any(pair.fault for pair in pairs) else 0


if __name__ == "__main__":
    sys.exit(main())
