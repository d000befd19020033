"""The pretended device: its outputs, and how long it says it takes."""

import numpy as np
import pytest

from streamproc.core import Duration, VirtualClock
from streamproc.executors import PythonExecutor, Simulated, SimulatedExecutor
from streamproc.executors import simulated as simulated_module

MS = 1_000_000


@pytest.fixture
def slept_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What it would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(simulated_module.time, "sleep", slept.append)
    return slept


def test_without_a_model_it_gives_zeros(slept_s: list[float]) -> None:
    executor = SimulatedExecutor(Simulated(), clock=VirtualClock(), inner=None)
    outputs = executor.run({"x": np.zeros((3, 2))})
    assert outputs["output"].tolist() == [[0], [0], [0]]
    assert outputs["output"].dtype == np.float32
    assert executor.info.runs_on == "simulated"
    assert not executor.inline
    executor.close()


@pytest.mark.parametrize("size", [1, 10])
def test_a_batch_takes_a_fixed_time_and_one_for_each_event(slept_s: list[float], size: int) -> None:
    options = Simulated(Duration.parse("3ms"), Duration.parse("500us"))
    executor = SimulatedExecutor(options, clock=VirtualClock(), inner=None)
    executor.run({"x": np.zeros((size, 1))})
    assert slept_s == [pytest.approx((3 + size * 0.5) / 1e3)]


@pytest.mark.parametrize(("inner_ms", "rest_ms"), [(1, 1.1), (2, 0.1), (9, 0)])
def test_the_time_of_the_model_inside_is_part_of_it(
    slept_s: list[float], inner_ms: int, rest_ms: float
) -> None:
    clock = VirtualClock()

    def predict(inputs: dict[str, np.ndarray]) -> object:
        clock.advance(inner_ms * MS)
        return inputs["x"] + 1

    inner = PythonExecutor(predict, name="inner")
    executor = SimulatedExecutor(Simulated(), clock=clock, inner=inner)
    assert executor.info is inner.info
    assert executor.run({"x": np.zeros((1, 1))})["output"].tolist() == [[1]]
    assert slept_s == [pytest.approx(rest_ms / 1e3)]
