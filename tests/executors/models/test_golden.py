"""A model that answers golden inputs otherwise decides nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.executors import Golden, OnnxExecutor, OnnxRuntime, PythonExecutor, check_golden
from tests.executors.conftest import BIAS, WEIGHTS, MakeModel, linear

X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = X @ WEIGHTS + BIAS


def save(path: Path, **arrays: Any) -> Golden:
    np.savez(path / "golden.npz", **arrays)
    return Golden(str(path / "golden.npz"))


@pytest.fixture
def executor(make_model: MakeModel) -> OnnxExecutor:
    return OnnxExecutor(make_model(linear("n")), OnnxRuntime())


def test_what_it_has_to_answer_it_answers(executor: OnnxExecutor, tmp_path: Path) -> None:
    check_golden(executor, save(tmp_path, x=X, y=Y))
    check_golden(executor, save(tmp_path, x=X, y=Y * 1.0005))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X, "y": Y + np.array([0, 0.1])}, "2 of 4 of 'y', the first at [0, 1]"),
        ({"x": X, "y": Y[:1]}, "gives 'y' as [2, 2], the golden one is [1, 2]"),
        ({"x": X, "z": Y}, "gives no output 'z'"),
        ({"x": X}, "has no expected output"),
        ({"y": Y}, "has no input x"),
        ({"x": X[:, :2], "y": Y}, "fails on the golden inputs"),
    ],
)
def test_what_it_does_not(
    executor: OnnxExecutor, tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check_golden(executor, save(tmp_path, **arrays))
    assert words in str(raised.value)


def test_a_function_takes_the_array_called_input(tmp_path: Path) -> None:
    double = PythonExecutor(lambda inputs: inputs["input"] * 2, name="double")
    check_golden(double, save(tmp_path, input=X, output=X * 2))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_a_file_that_is_none(executor: OnnxExecutor, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "golden.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"is no \.npz file"):
        check_golden(executor, Golden(str(path)))


def test_a_pickle_in_it_is_not_loaded(executor: OnnxExecutor, tmp_path: Path) -> None:
    golden = save(tmp_path, x=np.array([{}], np.object_), y=Y)
    with pytest.raises(ConfigError, match="allow_pickle"):
        check_golden(executor, golden)


def test_tolerances_below_0_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be below 0"):
        Golden("x", rtol=-1)
