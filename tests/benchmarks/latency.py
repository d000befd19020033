"""From when an event was due to when somebody reads its decision: streamproc beside hand-written loops, at fixed rates.

`make bench`, or `python -m tests.benchmarks.latency --help`. README.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import sys
import tempfile
import time
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka.admin import AdminClient

from tests.benchmarks import cpu_time
from tests.benchmarks.conditions import RESULTS, load_1m, machine, write_result
from tests.benchmarks.latency_runs import (
    BEHIND_HELD_MS,
    FLOOR,
    LAG_HELD_MS,
    Run,
    show,
    summarise,
)
from tests.benchmarks.programs import PROGRAMS, Task
from tests.benchmarks.workloads import KEYS, WORKLOADS
from tests.support import Background, wait_until
from tests.support.kafka import (
    BENCH_JVM,
    KafkaBroker,
    Message,
    create_topics,
    delete_topics,
    end_offsets,
    fill,
    why_unavailable,
)

WORKLOAD = WORKLOADS["tick"]
PARTITIONS = 4
CONTENDERS = (FLOOR, "plain", "confluent-greedy", "streamproc")
FIRST_EVENTS = KEYS
"""Sent before the schedule begins, to see when a program is ready."""
QUIET_S = 10.0


class Bench:
    """One broker and the model, for all runs."""

    def __init__(
        self, broker: KafkaBroker, folder: Path, *, warm_up_s: float, measured_s: float
    ) -> None:
        self._bootstrap = broker.bootstrap
        self._folder = folder
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        self._warm_up_s = warm_up_s
        self._measured_s = measured_s
        self._model = folder / "model.onnx"
        WORKLOAD.write_model(self._model)
        self._right = np.array(WORKLOAD.right_answers(self._model))

    def run(self, program: str, rate: int, number: int) -> Run:
        """Start the program, then the generator; read what comes."""
        run = Run(program, rate, number, load_1m=load_1m())
        unique = f"{program}-{rate}-{uuid.uuid4().hex[:8]}"
        source, sink = f"{unique}-in", f"{unique}-out"
        create_topics(self._bootstrap, source, sink, partitions=PARTITIONS)
        events = int(rate * (self._warm_up_s + self._measured_s))
        task = Task(
            workload=WORKLOAD,
            events=FIRST_EVENTS + events,
            bootstrap=self._bootstrap,
            source=source,
            sink=sink,
            group=unique,
            model=self._model,
            folder=self._folder,
            rate=run.rate,
        )
        self._send_first(source)
        if program == FLOOR:
            self._load(run, task, source)
        else:
            self._with_program(run, task)
        delete_topics(self._bootstrap, source, sink)
        return run

    def _send_first(self, source: str) -> None:
        head, tails = WORKLOAD.templates()
        now_ns = time.time_ns()
        fill(
            self._bootstrap,
            source,
            (Message(head + b"%d" % (now_ns + i) + tails[i], b"%d" % i) for i in range(KEYS)),
        )

    def _with_program(self, run: Run, task: Task) -> None:
        stdout = self._folder / f"{task.sink}.out"
        program = Background(
            PROGRAMS[run.program].command(task),
            log=self._folder / f"{task.sink}.log",
            stdout=stdout,
            env={"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )

        def ready() -> bool:
            decided = sum(end_offsets(self._bootstrap, task.sink, self._admin).values())
            return decided >= FIRST_EVENTS or not program.running

        try:
            wait_until(f"the first decisions of {run.program}", ready, timeout_s=60)
            if program.running:
                self._load(run, task, task.sink, cpu_time.Meter(program.pid))
                wait_until(f"the end of {run.program}", lambda: not program.running)
        except TimeoutError as error:
            print(f"{error}\n{program.log_tail()}", file=sys.stderr)
        finally:
            run.status = program.stop()
        if run.status != 0:
            print(f"{run.program}: status {run.status}\n{program.log_tail()}", file=sys.stderr)
        elif PROGRAMS[run.program].sums_up:
            run.own_ms = json.loads(stdout.read_text())["own_ms"]

    def _load(self, run: Run, task: Task, topic: str, meter: cpu_time.Meter | None = None) -> None:
        """Receive from a topic while the generator sends its schedule; keep what was found.

        Args:
            run: takes it.
            task: what the program was told.
            topic: what is received.
            meter: of the program's CPU time.
        """
        arrived, sent = self._folder / f"{topic}.npy", self._folder / f"{topic}.sent.json"
        shared = {"--bootstrap": self._bootstrap, "--workload": WORKLOAD.name}
        receiver = self._helper(
            "receiver",
            {
                **shared,
                "--topic": topic,
                "--events": str(task.events),
                "--quiet-s": str(QUIET_S),
                "--out": str(arrived),
            },
            arrived.with_suffix(".out"),
        )
        warm_up = int(run.rate * self._warm_up_s)
        count = task.events - FIRST_EVENTS
        generator = self._helper(
            "open_loop",
            {
                **shared,
                "--topic": task.source,
                "--rate": str(run.rate),
                "--events": str(count),
                "--warm-up": str(warm_up),
            },
            sent,
        )
        generator.process.wait()
        if meter is not None:
            run.cpu_us = round(meter.used_s() / count * 1e6, 1)
            run.own_cpu_us = round(meter.own_s() / count * 1e6, 1)
        for helper in (generator, receiver):
            if status := helper.process.wait():
                msg = f"the load ended with status {status}:\n{helper.log_tail()}"
                raise RuntimeError(msg)
        schedule = json.loads(sent.read_text())
        run.lag_ms = {name: round(value, 3) for name, value in schedule["lag_ms"].items()}
        run.behind_ms = round(schedule["behind_ms"], 3)
        if schedule["not_delivered"]:
            msg = f"{schedule['not_delivered']} events were not delivered"
            raise RuntimeError(msg)
        self._evaluate(run, np.load(arrived), schedule, warm_up=warm_up, count=count)

    def _helper(self, module: str, given: dict[str, str], stdout: Path) -> Background:
        flags = sum(given.items(), ())
        return Background(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *flags],
            log=stdout.with_suffix(".log"),
            stdout=stdout,
        )

    def _evaluate(
        self,
        run: Run,
        arrived: np.ndarray[tuple[int, int], np.dtype[np.int64]],
        schedule: dict[str, Any],
        *,
        warm_up: int,
        count: int,
    ) -> None:
        at_ns, due_ns, label = arrived.T
        number = (due_ns - schedule["first_due_ns"]) // schedule["gap_ns"]
        scheduled = number >= 0  # not one of the first events
        at_ns, due_ns, label, number = (
            column[scheduled] for column in (at_ns, due_ns, label, number)
        )
        distinct = len(np.unique(number))
        run.missing, run.repeated = count - distinct, len(number) - distinct
        if run.program != FLOOR:
            run.wrong = int(np.count_nonzero(label != self._right[number % KEYS]))
        took_ms = (at_ns - due_ns)[number >= warm_up] / 1e6
        run.measured = len(took_ms)
        if run.measured:
            found = np.percentile(took_ms, [50, 99, 99.9]).round(3).tolist()
            run.p50_ms, run.p99_ms, run.p999_ms = found
            run.max_ms = round(float(took_ms.max()), 3)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="latency", description=__doc__)
    parser.add_argument(
        "--rates", default="1000,5000,20000", help="events a second (default: %(default)s)"
    )
    parser.add_argument("--programs", default=",".join(CONTENDERS), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="measured (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up", type=float, default=2.0, help="seconds before (default: %(default)s)"
    )
    parser.add_argument(
        "--tries",
        type=int,
        default=3,
        help="of a run until the generator holds its rate (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round at two rates: whether it works"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    options.rates = [int(rate) for rate in options.rates.split(",")]
    options.programs = options.programs.split(",")
    if unknown := set(options.programs) - {FLOOR, *PROGRAMS}:
        parser.error(
            f"no such program: {', '.join(unknown)}; there are {FLOOR}, {', '.join(PROGRAMS)}"
        )
    if options.quick:
        options.rates, options.rounds, options.seconds, options.warm_up = (
            [1_000, 5_000],
            1,
            2.0,
            1.0,
        )
    return options


def run_all(options: argparse.Namespace) -> list[Run]:
    """All rounds; those that were done, where Ctrl-C ends it."""
    runs: list[Run] = []
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-bench-") as folder,
        KafkaBroker(jvm=BENCH_JVM) as broker,
        contextlib.suppress(KeyboardInterrupt),
    ):
        bench = Bench(broker, Path(folder), warm_up_s=options.warm_up, measured_s=options.seconds)
        for program in options.programs:  # unmeasured: the broker and the files get warm
            bench.run(program, options.rates[0], number=0)
        for number in range(1, options.rounds + 1):
            # Another one begins each round, so that a slow drift of the machine meets all alike.
            turn = (number - 1) % len(options.programs)
            for rate in options.rates:
                runs.extend(
                    _held_run(bench, program, rate, number, tries=options.tries)
                    for program in options.programs[turn:] + options.programs[:turn]
                )
        gc.collect()  # clients that only a collection ends would miss the broker loudly
    return runs


def _held_run(bench: Bench, program: str, rate: int, number: int, *, tries: int) -> Run:
    """A run in which the generator held its rate; where none did, the one in which it was least late."""
    best: Run | None = None
    for _ in range(tries):
        run = bench.run(program, rate, number)
        own = f", own p99 {run.own_ms['p99']:.2f}" if run.own_ms else ""
        print(
            f"round {number} {rate}/s {program}: p50 {run.p50_ms:.2f}, p99 {run.p99_ms:.2f}{own} ms; "
            f"generator's lag p99 {run.lag_ms.get('p99', 0):.2f} ms{'' if run.held else ' (not held)'} {run.fault}".rstrip(),
            file=sys.stderr,
            flush=True,
        )
        if best is None or run.held or run.lag_ms.get("p99", 0.0) < best.lag_ms.get("p99", 0.0):
            best = run
        if run.held:
            break
    assert best is not None
    return best


def main() -> int:
    """Run, print and write it; the exit status is 1 if any decision is missing or wrong."""
    options = arguments()
    if (lacking := why_unavailable()) is not None:
        print(lacking, file=sys.stderr)
        return 2
    began = datetime.now(UTC)
    runs = run_all(options)
    summary = summarise(runs)
    show(summary)
    settings = {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "warm_up_s": options.warm_up,
        "tries": options.tries,
        "partitions": PARTITIONS,
        "lag_held_ms": LAG_HELD_MS,
        "behind_held_ms": BEHIND_HELD_MS,
    }
    found = {
        "settings": settings,
        "summary": summary,
        "runs": [asdict(run) | {"held": run.held, "fault": run.fault} for run in runs],
    }
    file = write_result(options.out, "latency", began, found)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    return 1 if any(run.fault for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
