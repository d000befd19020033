"""The models of a rollout behind those of the model itself: their order, what they must be, and whose time they take."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamproc.core import ConfigError, Executor, SystemClock
from streamproc.executors import (
    Arm,
    Canary,
    IsolatedExecutor,
    Model,
    OnnxRuntime,
    Rollback,
    Rollout,
    Shadow,
    load_runners,
    runners,
)
from tests.runtime.test_reload import write


@pytest.fixture
def path(tmp_path: Path) -> str:
    write(tmp_path / "model.onnx", 2)
    return str(tmp_path / "model.onnx")


def close(executors: tuple[Executor, ...]) -> None:
    for executor in executors:
        executor.close()


def test_they_stand_behind_the_ladder_in_the_order_that_is_told(path: str) -> None:
    rollout = Rollout(
        arms=(Arm(name="b", path=path, share=0.1, isolation=False),),
        canary=Canary(path=path, isolation=False),
        shadow=Shadow(path=path, isolation=False),
    )
    names = ["full", "b", "canary", "reference", "shadow"]
    assert [variant.name for variant in runners(Model(path), rollout)] == names
    loaded = load_runners(Model(path), rollout, SystemClock())
    assert [executor.info.variant for executor in loaded] == names
    x = np.ones((2, 1))
    assert all(np.array_equal(one.run({"x": x})["y"], x * 2) for one in loaded)
    close(loaded)
    without = replace(rollout, canary=Canary(path=path, rollback=Rollback(disagreement=None)))
    assert [v.name for v in runners(Model(path), without)] == ["full", "b", "canary", "shadow"]


def test_who_only_compares_gets_the_time_that_nobody_wants(path: str) -> None:
    rollout = Rollout(canary=Canary(path=path), shadow=Shadow(path=path))
    loaded = load_runners(Model(path), rollout, SystemClock())
    try:
        found = {}
        for executor in loaded[1:]:
            assert isinstance(executor, IsolatedExecutor)
            life = executor._pool.take(10.0)
            found[executor.info.variant] = os.getpriority(os.PRIO_PROCESS, life.pid)
            executor._pool.give_back(life)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert found == {"canary": own, "reference": 19, "shadow": 19}
    finally:
        close(loaded)


def test_one_that_takes_or_gives_something_else_is_refused(path: str, tmp_path: Path) -> None:
    write(tmp_path / "wide.onnx", 2, width=3)
    rollout = Rollout(canary=Canary(path=str(tmp_path / "wide.onnx"), isolation=False))
    said = r"rollout.canary.path: 'canary' takes x float64\[n, 3\], but the model takes x float64\[n, 1\]"
    with pytest.raises(ConfigError, match=said):
        load_runners(Model(path), rollout, SystemClock())


def test_one_that_runs_fewer_batches_at_a_time_is_refused(path: str) -> None:
    model = Model(path, OnnxRuntime(concurrency=2))
    arm = Arm(name="b", path=path, share=0.1, isolation=False, executor=OnnxRuntime())
    with pytest.raises(ConfigError, match="'b' runs 1 batches at a time, the model 2"):
        load_runners(model, Rollout(arms=(arm,)), SystemClock())
