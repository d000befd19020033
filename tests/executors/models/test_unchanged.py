"""What is loaded is what was looked at, whatever loads it."""

import importlib.util
import shutil
from collections.abc import Callable
from types import ModuleType

import pytest

from streamproc.core import ConfigError
from streamproc.executors import OnnxExecutor, OnnxRuntime, OpenVino, OpenVinoExecutor
from streamproc.executors import onnx as by_onnxruntime
from streamproc.executors import openvino as by_openvino
from streamproc.executors.models import ModelFiles, Rules, look_at
from tests.executors.conftest import MakeModel, linear

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="pip install 'streamproc[openvino]'"
)


@pytest.mark.parametrize(
    ("module", "load"),
    [
        (by_onnxruntime, lambda path: OnnxExecutor(path, OnnxRuntime())),
        pytest.param(
            by_openvino, lambda path: OpenVinoExecutor(path, OpenVino()), marks=needs_openvino
        ),
    ],
    ids=["onnxruntime", "openvino"],
)
def test_a_model_that_is_replaced_while_it_is_loaded_is_refused(
    make_model: MakeModel,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    load: Callable[[str], object],
) -> None:
    path, other = make_model(linear("n"), "model"), make_model(linear("m"), "other")

    def look_and_replace(path: str, rules: Rules, key: str) -> ModelFiles:
        found = look_at(path, rules, key)
        shutil.move(other, path)
        return found

    monkeypatch.setattr(module, "look_at", look_and_replace)
    with pytest.raises(ConfigError, match="was changed while it was loaded"):
        load(path)
