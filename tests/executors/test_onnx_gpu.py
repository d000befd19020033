"""onnxruntime on a GPU: `pytest -m gpu tests/executors` where one is, with onnxruntime-gpu in place of onnxruntime."""

import numpy as np
import onnxruntime
import pytest

from streamproc.executors import OnnxExecutor, OnnxRuntime
from streamproc.testing.contracts import executor_contract
from tests.executors.conftest import BIAS, WEIGHTS, MakeModel, linear

pytestmark = pytest.mark.gpu
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
OPTIONS = OnnxRuntime((CUDA, CPU), {CUDA: {"device_id": 0, "cudnn_conv_algo_search": "HEURISTIC"}})


@pytest.fixture(autouse=True)
def _there_is_one() -> None:
    if CUDA not in onnxruntime.get_available_providers():
        pytest.fail("this onnxruntime has no CUDA: install onnxruntime-gpu in its place")


def test_the_session_says_that_it_runs_there(make_model: MakeModel) -> None:
    assert OnnxExecutor(make_model(linear("n")), OPTIONS).info.runs_on == CUDA


def test_it_keeps_the_contract_of_an_executor(make_model: MakeModel) -> None:
    path = make_model(linear("n"))
    executor_contract(
        lambda: OnnxExecutor(path, OPTIONS),
        lambda n: {"x": np.arange(3 * n, dtype=np.float32).reshape(n, 3)},
    )


def test_it_computes_what_the_processor_computes(make_model: MakeModel) -> None:
    rows = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    made = OnnxExecutor(make_model(linear("n")), OPTIONS).run({"x": rows})["y"]
    np.testing.assert_allclose(made, rows @ WEIGHTS + BIAS, rtol=1e-3, atol=1e-4)


def test_without_the_cpu_in_the_list_all_of_it_runs_there(make_model: MakeModel) -> None:
    assert OnnxExecutor(make_model(linear("n")), OnnxRuntime((CUDA,))).info.runs_on == CUDA
