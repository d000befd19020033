"""What the engine itself costs: CPU time of one batch, by its size and by what is asked of the engine.

    python -m tests.benchmarks.engine_cost
    python -m tests.benchmarks.engine_cost --sizes 1 --profile

The events and the model are those of ``tick``. Records lie in memory, nothing is sent anywhere, and each batch is taken in,
run, decided, sent and acknowledged before the next one comes, as where the load is low. CPU time of the thread; of
the rounds the median, batch by batch, so that other programs disturb little.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from streamproc.config import parse
from streamproc.core import RecordBatch, SystemClock, TopicPartition
from streamproc.engine import Infer, Send
from streamproc.executors import load_executors
from streamproc.runtime import assemble
from tests.benchmarks.conditions import RESULTS, machine, write_result
from tests.benchmarks.programs import Task, streamproc_config
from tests.benchmarks.workloads import KEYS, WORKLOADS

if TYPE_CHECKING:
    from streamproc.core import Executor
    from streamproc.engine import Engine

SIZES = (1, 8, 64, 1_024)
EVENTS = 65_536
BATCHES_MAX = 4_096
PARTITIONS = 4
ASKED = ("ingest", "start", "model", "completed", "send", "acknowledged")
"""What is asked of the engine for a batch, in order; ``start`` and ``send`` are ``next_effects``."""


class Bench:
    """One pipeline's engine, and what its batches cost.

    Args:
        folder: for the model and the configuration.
    """

    def __init__(self, folder: Path) -> None:
        self._workload = WORKLOADS["tick"]
        model = folder / "model.onnx"
        self._workload.write_model(model)
        at = "localhost:9092"  # nobody is asked there
        self._task = Task(self._workload, EVENTS, at, "ticks", "decisions", "-", model, folder, 1)
        self._clock = SystemClock()
        head, tails = self._workload.templates()
        self._keys: list[bytes | None] = [b"%d" % (number % KEYS) for number in range(EVENTS)]
        self._values: list[bytes | None] = [
            head + b"%d" % (self._clock.now_ns() + number) + tails[number % KEYS]
            for number in range(EVENTS)
        ]

    def engine(self) -> tuple[Engine, Executor]:
        """A new engine, its partitions assigned, and what runs its batches."""
        text = json.dumps(streamproc_config(self._task))
        config = parse(text, folder=self._task.folder).config
        (executor,) = load_executors(config.model, self._clock)
        engine = assemble(config, [executor], self._clock).engine
        engine.assigned({TopicPartition("ticks", number): 0 for number in range(PARTITIONS)})
        engine.draining = (
            True  # on a busy machine the model may seem so slow that a batch would wait for others
        )
        return engine, executor

    def batches(self, size: int, batches_max: int = BATCHES_MAX) -> list[RecordBatch]:
        """The events as batches of one size, one partition after the other."""
        count = min(EVENTS // size, batches_max)
        return [
            RecordBatch(
                source=TopicPartition("ticks", number % PARTITIONS),
                offset=np.arange(size) + number // PARTITIONS * size,
                timestamp_ns=np.full(size, self._clock.now_ns()),
                key=self._keys[number * size : (number + 1) * size],
                value=self._values[number * size : (number + 1) * size],
                headers={},
                arrival_ns=0,
                end_position=(number // PARTITIONS + 1) * size,
            )
            for number in range(count)
        ]

    def costs_us(self, size: int) -> dict[str, float]:
        """CPU time of each thing that is asked for a batch, the median of all batches in us."""
        engine, executor = self.engine()
        batches = self.batches(size)
        gc.collect()
        found = [self.one(engine, executor, self.arriving_now(batch)) for batch in batches]
        columns = zip(*found[len(found) // 8 :], strict=True)  # the first ones warm up
        return {name: median(column) / 1_000 for name, column in zip(ASKED, columns, strict=True)}

    def arriving_now(self, batch: RecordBatch) -> RecordBatch:
        """The same records, written and fetched at this moment: else each batch would be the latest so far."""
        now_ns = self._clock.now_ns()
        return replace(batch, timestamp_ns=np.full(len(batch), now_ns), arrival_ns=now_ns)

    def one(self, engine: Engine, executor: Executor, batch: RecordBatch) -> list[int]:
        """Bring a batch to its end; gives the CPU time of each of ``ASKED`` in ns."""
        now_ns, spent = self._clock.now_ns, time.thread_time_ns
        took = dict.fromkeys(ASKED, 0)
        begun = spent()

        def ended(name: str) -> None:
            nonlocal begun
            took[name] += spent() - begun
            begun = spent()

        engine.ingest(batch)
        ended("ingest")
        effects = engine.next_effects(now_ns())
        ended("start")
        while effects:
            for effect in effects:
                if isinstance(effect, Infer):
                    outputs = executor.run(effect.inputs)
                    ended("model")
                    engine.completed(effect.run, outputs, now_ns())
                    ended("completed")
                elif isinstance(effect, Send):
                    engine.acknowledged(effect.ticket, now_ns())
                    ended("acknowledged")
            effects = engine.next_effects(now_ns())
            ended("send")
        if engine.open_total:
            msg = f"{engine.open_total} events have no outcome"
            raise AssertionError(msg)
        return list(took.values())


def profile(bench: Bench, size: int, lines: int) -> None:
    """Print what the time of such batches is spent on."""
    engine, executor = bench.engine()
    batches = bench.batches(size)
    profiler = cProfile.Profile()
    for batch in batches:
        now = bench.arriving_now(batch)
        profiler.enable()
        bench.one(engine, executor, now)
        profiler.disable()
    print(f"batches of {size}, {len(batches)} of them")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(lines)


def main() -> int:
    """Measure, print and write it."""
    parser = argparse.ArgumentParser(prog="engine_cost", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--profile", action="store_true", help="print what the time is spent on instead"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    began = datetime.now(UTC)
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        if options.profile:
            for size in options.sizes:
                profile(bench, size, lines=45)
            return 0
        rounds = [
            {size: bench.costs_us(size) for size in options.sizes} for _ in range(options.rounds)
        ]
    found = {
        size: {name: median(one[size][name] for one in rounds) for name in ASKED}
        for size in options.sizes
    }
    print("us of CPU time a batch, by its size\n")
    print("| events | " + " | ".join(ASKED) + " | all | without the model | an event |")
    print("|---|" + "---|" * (len(ASKED) + 3))
    for size, costs in found.items():
        whole = sum(costs.values())
        figures = [*costs.values(), whole, whole - costs["model"], (whole - costs["model"]) / size]
        print(f"| {size:,} | " + " | ".join(f"{figure:,.1f}" for figure in figures) + " |")
    file = write_result(options.out, "engine-cost", began, {"us_per_batch": found})
    print(f"\n{machine()['cpu']}; written to {file}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
