"""A Python callable as the model."""

import numpy as np
import pytest

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
