"""A Python callable as the model."""

import numpy as np
import pytest

from streamproc.core import Array, Columns, TransientError
from streamproc.executors import PythonExecutor


def test_one_array_is_the_output() -> None:
    executor = PythonExecutor(lambda inputs: inputs["x"] * 2, name="mine:predict")
    outputs = executor.run({"x": np.array([[1.0], [2.0]])})
    assert outputs.keys() == {"output"}
    assert outputs["output"].tolist() == [[2], [4]]
    assert executor.concurrency == 1
    executor.close()


def test_arrays_by_name_are_the_outputs() -> None:
    executor = PythonExecutor(lambda _: {"a": [1, 2], "b": np.zeros((2, 3))}, name="mine:predict")
    outputs = executor.run({"x": np.zeros((2, 1))})
    assert {name: array.shape for name, array in outputs.items()} == {"a": (2,), "b": (2, 3)}


def test_what_it_raises_comes_through() -> None:
    executor = PythonExecutor(lambda _: 1 / 0, name="mine:predict")
    with pytest.raises(ZeroDivisionError):
        executor.run({"x": np.zeros((1, 1))})


def test_it_is_known_by_its_name() -> None:
    info = PythonExecutor(print, name="mine:predict").info
    assert info.runs_on == "mine:predict"
    assert info.digest.startswith("name-sha256:")
    assert info.digest == PythonExecutor(len, name="mine:predict").info.digest
    assert info.digest != PythonExecutor(print, name="mine:other").info.digest
    assert info.inputs == info.outputs == ()


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, inputs: Columns) -> Array:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return inputs["x"]


@pytest.mark.parametrize("error", [TransientError("busy"), ConnectionError("gone"), TimeoutError()])
def test_a_failure_that_may_pass_is_tried_again(error: Exception) -> None:
    flaky = Flaky(error, error)
    executor = PythonExecutor(flaky, name="m:f", retries=2)
    assert executor.run({"x": np.arange(3)})["output"].tolist() == [0, 1, 2]
    assert (flaky.calls, executor.inline) == (3, True)


def test_there_is_a_ceiling() -> None:
    flaky = Flaky(*[TransientError("busy")] * 9)
    with pytest.raises(TransientError, match="busy"):
        PythonExecutor(flaky, name="m:f", retries=2).run({"x": np.arange(3)})
    assert flaky.calls == 3


def test_another_failure_is_final_at_once() -> None:
    flaky = Flaky(ValueError("wrong"), ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        PythonExecutor(flaky, name="m:f", retries=2).run({"x": np.arange(3)})
    assert flaky.calls == 1


def test_with_a_pause_it_runs_on_a_thread() -> None:
    flaky = Flaky(TransientError("busy"))
    executor = PythonExecutor(flaky, name="m:f", retries=1, pause_s=0.001)
    assert not executor.inline
    assert executor.run({"x": np.arange(3)})["output"].tolist() == [0, 1, 2]
