"""Events a second and CPU seconds a million events: streamproc beside hand-written loops, on one real Kafka broker.

`make bench`, or `python -m tests.benchmarks.throughput --help`. README.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka.admin import AdminClient

from tests.benchmarks import cpu_time
from tests.benchmarks.conditions import RESULTS, load_1m, machine, write_result
from tests.benchmarks.programs import PROGRAMS, Task
from tests.benchmarks.workloads import WORKLOADS, Workload
from tests.support import Background
from tests.support.kafka import (
    BENCH_JVM,
    KafkaBroker,
    create_topics,
    delete_topics,
    end_offsets,
    fill,
    stream,
    why_unavailable,
)

PARTITIONS = 4
SAMPLE_S = 0.05
STALLED_S = 60.0  # a program that sends nothing for so long is given up
LINE = "{:<18} {:>22} {:>22} {:>11} {:>11}  {}"


@dataclass
class Run:
    """What one program did in one round.

    Attributes:
        events: how many it was given.
        steady_events: decisions between the first sample with any and the last.
        steady_s: time between those samples.
        steady_cpu_s: CPU time between those samples.
        life_s: from its start to its end.
        life_cpu_s: all its CPU time: start, imports, model, work, shut-down.
        distinct: events with a right decision.
        repeated: decisions beyond one an event.
        wrong: decisions with another class than the model's.
        outcomes: streamproc's outcomes, counted in its decisions.
        status: its exit status.
        summary: what ``streamproc run --json`` printed.
        load_1m: the machine's load average before it.
    """

    workload: str
    program: str
    round: int
    events: int
    load_1m: float
    steady_events: int = 0
    steady_s: float = 0.0
    steady_cpu_s: float = 0.0
    life_s: float = 0.0
    life_cpu_s: float = 0.0
    distinct: int = 0
    repeated: int = 0
    wrong: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    status: int = 0
    summary: dict[str, Any] | None = None

    @property
    def steady_rate(self) -> float:
        return self.steady_events / self.steady_s if self.steady_s else 0.0

    @property
    def steady_cost(self) -> float:
        """CPU seconds a million events, in the steady window."""
        return self.steady_cpu_s / self.steady_events * 1e6 if self.steady_events else 0.0

    @property
    def life_rate(self) -> float:
        return self.events / self.life_s

    @property
    def life_cost(self) -> float:
        """CPU seconds a million events, start and end included."""
        return self.life_cpu_s / self.events * 1e6

    @property
    def fault(self) -> str:
        """What makes the run worthless; empty if nothing."""
        faults = {
            f"status {self.status}": self.status != 0,
            f"{self.events - self.distinct} missing": self.distinct != self.events,
            f"{self.repeated} repeated": self.repeated,
            f"{self.wrong} wrong": self.wrong,
            f"outcomes {self.outcomes}": set(self.outcomes) - {"on_time"},
        }
        return ", ".join(text for text, found in faults.items() if found)


class Bench:
    """One broker, its filled topics and the models, for all runs."""

    def __init__(self, broker: KafkaBroker, folder: Path) -> None:
        self._bootstrap = broker.bootstrap
        self._folder = folder
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        self._models: dict[str, Path] = {}
        self._answers: dict[str, list[int]] = {}

    def prepare(self, workload: Workload, events: int) -> str:
        """The topic with so many events; made and filled when first asked for."""
        if workload.name not in self._models:
            model = self._folder / f"{workload.name}.onnx"
            workload.write_model(model)
            self._models[workload.name] = model
            self._answers[workload.name] = workload.right_answers(model)
        topic = f"{workload.name}-{events}"
        if topic not in self._admin.list_topics(timeout=10).topics:
            create_topics(self._bootstrap, topic, partitions=PARTITIONS)
            fill(self._bootstrap, topic, workload.messages(events))
        return topic

    def run(self, name: str, workload: Workload, events: int, number: int) -> Run:
        """Let one program answer all events, and check its answers."""
        run = Run(workload.name, name, number, events, load_1m=load_1m())
        unique = f"{workload.name}-{name}-{uuid.uuid4().hex[:8]}"
        source = self.prepare(workload, events)
        create_topics(self._bootstrap, unique, partitions=PARTITIONS)
        task = Task(
            workload=workload,
            events=events,
            bootstrap=self._bootstrap,
            source=source,
            sink=unique,
            group=unique,
            model=self._models[workload.name],
            folder=self._folder,
        )
        self._measure(run, task)
        self._check(run, task)
        delete_topics(self._bootstrap, unique)
        return run

    def _measure(self, run: Run, task: Task) -> None:
        stdout = self._folder / f"{task.sink}.out"
        started = time.monotonic()
        program = Background(
            PROGRAMS[run.program].command(task),
            log=self._folder / f"{task.sink}.log",
            stdout=stdout,
            env={"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        try:
            self._watch(run, task, program)
        finally:
            if not cpu_time.has_ended(program.process):
                os.killpg(program.pid, 9)
            run.life_cpu_s = max(cpu_time.collect(program.process), run.life_cpu_s)
            run.life_s = time.monotonic() - started
        run.status = program.process.returncode
        if run.status != 0:
            print(
                f"{run.program} ended with status {run.status}:\n{program.log_tail()}",
                file=sys.stderr,
            )
        elif run.program.startswith("streamproc"):
            run.summary = json.loads(stdout.read_text())

    def _watch(self, run: Run, task: Task, program: Background) -> None:
        """Sample decisions and CPU time until the program ends, or stalls."""
        first = last = (time.monotonic(), 0, 0.0)
        while not cpu_time.has_ended(program.process):
            cpu_s = cpu_time.used_s(program.pid)
            decisions = sum(end_offsets(self._bootstrap, task.sink, self._admin).values())
            now = time.monotonic()
            run.life_cpu_s = cpu_s  # counts processes, too, that the program does not wait for
            if decisions > last[1]:
                last = (now, decisions, cpu_s)
                if not first[1]:
                    first = last
            elif now - last[0] > STALLED_S:
                print(
                    f"{run.program}: {decisions} of {task.events} decisions, then nothing for {STALLED_S:g} s:\n{program.log_tail()}",
                    file=sys.stderr,
                )
                return
            time.sleep(SAMPLE_S)
        run.steady_s = last[0] - first[0]
        run.steady_events = last[1] - first[1]
        run.steady_cpu_s = last[2] - first[2]

    def _check(self, run: Run, task: Task) -> None:
        read = PROGRAMS[run.program].answer
        right = self._answers[run.workload]
        seen: set[object] = set()
        outcomes: Counter[str] = Counter()
        decisions = 0
        for message in stream(self._bootstrap, task.sink, timeout_s=120):
            answer = read(task.workload, message.key(), message.value())
            decisions += 1
            outcomes[answer.outcome] += 1
            if answer.label == right[answer.kind]:
                seen.add(answer.identity)
            else:
                run.wrong += 1
        run.distinct = len(seen)
        run.repeated = decisions - run.wrong - run.distinct
        run.outcomes = {name: count for name, count in outcomes.items() if name}


def summarise(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Medians by workload and program, and the ratios that the benchmark is for."""
    summary: dict[str, dict[str, Any]] = {}
    for workload in dict.fromkeys(run.workload for run in runs):
        programs: dict[str, Any] = {}
        for program in dict.fromkeys(run.program for run in runs):
            mine = [run for run in runs if (run.workload, run.program) == (workload, program)]
            if not mine:
                continue
            rates, costs = [r.steady_rate for r in mine], [r.steady_cost for r in mine]
            programs[program] = {
                "steady_events_per_s": _spread(rates),
                "steady_cpu_s_per_million": _spread(costs),
                "life_events_per_s": _spread([r.life_rate for r in mine]),
                "life_cpu_s_per_million": _spread([r.life_cost for r in mine]),
                "fault": "; ".join(sorted({r.fault for r in mine if r.fault})),
            }
        summary[workload] = {"programs": programs, "ratios": _ratios(programs)}
    return summary


def _spread(values: list[float]) -> dict[str, float]:
    found = {"median": median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 2) for name, value in found.items()}


def _ratios(programs: dict[str, Any]) -> dict[str, dict[str, float | str]]:
    """How many times the CPU time, and which part of the rate, a loop has of streamproc's."""

    def cost(program: str, window: str = "steady") -> float:
        return programs[program][f"{window}_cpu_s_per_million"]["median"]

    confluent = [name for name in programs if name.startswith("confluent-")]
    peers = [name for name in ("plain", min(confluent, key=cost, default="")) if name in programs]
    if "streamproc" not in programs or not cost("streamproc"):
        return {}
    return {
        f"{peer} / streamproc": {
            "steady_cpu": round(cost(peer) / cost("streamproc"), 2),
            "life_cpu": round(cost(peer, "life") / cost("streamproc", "life"), 2),
            "steady_rate": round(
                programs[peer]["steady_events_per_s"]["median"]
                / programs["streamproc"]["steady_events_per_s"]["median"],
                3,
            ),
        }
        for peer in peers
    }


def show(summary: dict[str, dict[str, Any]], events: dict[tuple[str, str], int]) -> None:
    for workload, found in summary.items():
        print(f"\n{workload}: median (least - most)")
        print(LINE.format("", "steady", "steady", "life", "life", ""))
        columns = ("program", "events/s", "CPU s/million", "events/s", "CPU s/m", "decisions")
        print(LINE.format(*columns))
        for program, values in found["programs"].items():
            rate, cost = values["steady_events_per_s"], values["steady_cpu_s_per_million"]
            rates = f"{rate['median']:,.0f} ({rate['min'] / 1e3:.1f}k-{rate['max'] / 1e3:.1f}k)"
            costs = f"{cost['median']:.2f} ({cost['min']:.2f}-{cost['max']:.2f})"
            life = f"{values['life_events_per_s']['median']:,.0f}"
            life_cost = f"{values['life_cpu_s_per_million']['median']:.2f}"
            verdict = values["fault"] or f"all {events[workload, program]:,} right"
            print(LINE.format(program, rates, costs, life, life_cost, verdict))
        for pair, ratio in found["ratios"].items():
            print(
                f"  {pair}: CPU time {ratio['steady_cpu']:.2f} (life {ratio['life_cpu']:.2f}), rate {ratio['steady_rate']:.3f}"
            )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="throughput", description=__doc__)
    parser.add_argument(
        "--events",
        type=int,
        default=1_000_000,
        help="of tick; ffnn runs a tenth (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="default: %(default)s")
    parser.add_argument("--programs", default=",".join(PROGRAMS), help="default: %(default)s")
    parser.add_argument(
        "--quick", action="store_true", help="one round of 100,000: whether it works"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    options.workloads = options.workloads.split(",")
    options.programs = options.programs.split(",")
    for kind, given, known in (
        ("workload", options.workloads, WORKLOADS),
        ("program", options.programs, PROGRAMS),
    ):
        if unknown := set(given) - set(known):
            parser.error(f"no such {kind}: {', '.join(unknown)}; there are {', '.join(known)}")
    if options.quick:
        options.events, options.rounds = 100_000, 1
    return options


def run_all(options: argparse.Namespace, events: dict[tuple[str, str], int]) -> list[Run]:
    runs = []
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-bench-") as folder,
        KafkaBroker(jvm=BENCH_JVM) as broker,
    ):
        bench = Bench(broker, Path(folder))
        for name in options.workloads:  # unmeasured: the broker's own compiler gets warm
            workload = WORKLOADS[name]
            most = int(options.events * workload.events_share)
            bench.run("confluent-greedy", workload, most, number=0)
        for number in range(1, options.rounds + 1):
            # Another one begins each round, so that a slow drift of the machine meets all alike.
            turn = (number - 1) % len(options.programs)
            for name in options.workloads:
                for program in options.programs[turn:] + options.programs[:turn]:
                    run = bench.run(program, WORKLOADS[name], events[name, program], number)
                    runs.append(run)
                    print(
                        f"round {number} {name} {program}: {run.steady_rate:,.0f} events/s, "
                        f"{run.steady_cost:.2f} CPU s/million {run.fault}".rstrip(),
                        file=sys.stderr,
                    )
    return runs


def main() -> int:
    """Run, print and write it; the exit status is 1 if any decision is missing or wrong."""
    options = arguments()
    if (lacking := why_unavailable()) is not None:
        print(lacking, file=sys.stderr)
        return 2
    events = {
        (workload, program): int(
            options.events * WORKLOADS[workload].events_share * PROGRAMS[program].events_share
        )
        for workload in options.workloads
        for program in options.programs
    }
    began = datetime.now(UTC)
    runs = run_all(options, events)
    summary = summarise(runs)
    show(summary, events)
    found = {
        "settings": {"rounds": options.rounds, "partitions": PARTITIONS, "sample_s": SAMPLE_S},
        "summary": summary,
        "runs": [asdict(run) | {"fault": run.fault} for run in runs],
    }
    file = write_result(options.out, "throughput", began, found)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    return 1 if any(run.fault for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
