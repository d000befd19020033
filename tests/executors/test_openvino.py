"""OpenVINO's own runtime; skipped where the extra is not installed."""

import numpy as np
import pytest

from streamproc.core import ConfigError, TensorSpec
from streamproc.executors import OpenVino, OpenVinoExecutor
from streamproc.testing.contracts import executor_contract
from tests.executors.conftest import MakeModel, linear

pytest.importorskip("openvino", reason="pip install 'streamproc[openvino]'")


def test_it_keeps_the_contract_of_an_executor(make_model: MakeModel) -> None:
    path = make_model(linear("n"))
    executor_contract(
        lambda: OpenVinoExecutor(path, OpenVino(concurrency=2)),
        lambda n: {"x": np.arange(3 * n, dtype=np.float32).reshape(n, 3)},
    )


def test_it_says_what_the_model_takes_and_where_it_runs(make_model: MakeModel) -> None:
    info = OpenVinoExecutor(make_model(linear("n")), OpenVino()).info
    assert info.inputs == (TensorSpec("x", "float32", (3,)),)
    assert info.outputs == (TensorSpec("y", "float32", (2,)),)
    assert (info.runs_on, info.batch_max) == ("OpenVINO CPU", None)
    assert OpenVinoExecutor(make_model(linear(1)), OpenVino()).info.batch_max == 1


@pytest.mark.parametrize(
    ("graph", "options", "text"),
    [
        (linear(4), OpenVino(), "takes batches of exactly 4"),
        (linear("n"), OpenVino(device="NPU"), "there is no device 'NPU' here: OpenVINO finds"),
        (linear("n"), OpenVino(device_options={"NO_SUCH": 1}), "does not work with OpenVINO here"),
    ],
)
def test_what_is_refused(
    make_model: MakeModel, graph: object, options: OpenVino, text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        OpenVinoExecutor(make_model(graph), options)
