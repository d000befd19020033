"""The benchmarks are runnable: their parts do what they say, and one short latency run ends well."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.benchmarks import engine_cost, latency, replaying
from tests.benchmarks.latency import Bench
from tests.benchmarks.latency_runs import FLOOR, Run, summarise
from tests.benchmarks.neighbours import neighbours
from tests.support import wait_until

if TYPE_CHECKING:
    from tests.support.kafka import KafkaBroker


def test_medians_are_of_the_rounds_and_the_better_loop_is_the_one_that_counts() -> None:
    figures = {FLOOR: (1.0, 2.0), "plain": (6.0, 9.0), "confluent-greedy": (2.0, 10.0), "streamproc": (3.0, 9.0)}  # fmt: skip
    runs = [
        Run(name, 1_000, number, 0.0, p50_ms=p50 + number - 2, p99_ms=p99)
        for number in (1, 2, 3)
        for name, (p50, p99) in figures.items()
    ]
    found = summarise(runs)["1000"]
    assert found["programs"]["streamproc"]["p50_ms"] == {"median": 3.0, "min": 2.0, "max": 4.0}
    assert found["beside"] == {
        "p50_above_floor_ms": 2.0,
        "p50_of_better_loop": 1.5,
        "p99_of_better_loop": 1.0,
    }


@pytest.mark.parametrize(("lag_ms", "behind_ms", "held"), [(0.9, 90, True), (1.1, 90, False), (0.9, 110, False)])  # fmt: skip
def test_a_rate_is_held_where_neither_generator_nor_broker_falls_behind(
    lag_ms: float, behind_ms: float, held: bool
) -> None:
    run = Run("floor", 1_000, 1, 0.0, lag_ms={"p99": lag_ms}, behind_ms=behind_ms, measured=1)
    assert run.held is held


@pytest.mark.parametrize("program", [FLOOR, "streamproc"])
def test_a_short_run_answers_every_event(kafka: KafkaBroker, tmp_path: Path, program: str) -> None:
    bench = Bench(kafka, tmp_path, warm_up_s=0.2, measured_s=0.8)
    run = bench.run(program, 200, number=1)
    assert not run.fault
    assert run.measured == 160
    assert 0 < run.p50_ms <= run.p99_ms <= run.max_ms
    assert bool(run.own_ms) is (program == "streamproc")
    json.dumps(summarise([run]))


def test_the_right_answers_are_not_all_the_same(tmp_path: Path) -> None:
    latency.WORKLOAD.write_model(tmp_path / "model.onnx")
    right = latency.WORKLOAD.right_answers(tmp_path / "model.onnx")
    assert len(np.unique(right)) > 1


def test_the_engine_alone_brings_its_batches_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_cost, "EVENTS", 192)
    costs = engine_cost.Bench(tmp_path).costs_us(64)
    assert list(costs) == list(engine_cost.ASKED)
    assert all(cost > 0 for cost in costs.values())


def test_busy_neighbours_have_the_lowest_priority_and_go_when_they_are_not_wanted() -> None:
    with neighbours() as pids:
        assert len(pids) == len(os.sched_getaffinity(0))
        for pid in pids:
            wait_until("it gives way", lambda pid=pid: os.sched_getscheduler(pid) == os.SCHED_IDLE)  # type: ignore[misc]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_recording_to_replay_is_as_long_and_as_steady_as_it_says() -> None:
    made = list(replaying.fetches(1.0, 1_000))
    assert sum(map(len, made)) == 1_000
    assert set(np.diff([one.arrival_ns for one in made])) == {10_000_000}
    for partition in range(4):
        mine = np.concatenate([one.offset for one in made if one.source.partition == partition])
        assert mine.tolist() == list(range(250))
