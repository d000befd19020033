"""Which execution provider runs a model: what is asked for, what is there, and what a session says."""

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.executors import OnnxExecutor, OnnxRuntime, onnx_providers
from streamproc.executors.onnx_providers import check_used, chosen, runtime_packages
from tests.executors.conftest import BIAS, MakeModel, linear

CPU, CUDA, TENSORRT = (
    "CPUExecutionProvider",
    "CUDAExecutionProvider",
    "TensorrtExecutionProvider",
)


def test_options_become_texts_of_their_provider() -> None:
    options = OnnxRuntime(
        (TENSORRT, CUDA, CPU),
        {TENSORRT: {"trt_engine_cache_enable": True, "trt_max_workspace_size": 1 << 30}},
    )
    assert chosen(options, [CPU, CUDA, TENSORRT]) == [
        (TENSORRT, {"trt_engine_cache_enable": "1", "trt_max_workspace_size": "1073741824"}),
        (CUDA, {}),
        (CPU, {}),
    ]


def test_a_provider_that_is_missing_is_refused_or_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ConfigError, match=f"{CUDA} is not in this onnxruntime: it has {CPU}"):
        chosen(OnnxRuntime((CUDA, CPU)), [CPU])
    with caplog.at_level(logging.WARNING):
        assert chosen(OnnxRuntime((CUDA, CPU), fallback=True), [CPU]) == [(CPU, {})]
    assert f"{CUDA} is not in this onnxruntime: {CPU} is used" in caplog.text
    with pytest.raises(ConfigError, match="is not in this onnxruntime"):
        chosen(OnnxRuntime((CUDA,), fallback=True), [CPU])


def test_what_a_session_really_uses_is_held_against_what_was_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_used(OnnxRuntime((CUDA, CPU)), [CUDA, CPU], [CUDA, CPU])
    with pytest.raises(ConfigError, match=f"{CUDA} does not work here: .* fell back to {CPU}"):
        check_used(OnnxRuntime((CUDA, CPU)), [CUDA, CPU], [CPU])
    with caplog.at_level(logging.WARNING):
        check_used(OnnxRuntime((CUDA, CPU), fallback=True), [CUDA, CPU], [CPU])
    assert f"fell back to {CPU}" in caplog.text


def test_a_model_falls_back_and_says_so(make_model: MakeModel) -> None:
    executor = OnnxExecutor(make_model(linear("n")), OnnxRuntime((CUDA, CPU), fallback=True))
    if CUDA in executor.info.runs_on:
        pytest.skip("there is a GPU here")
    assert executor.info.runs_on == CPU
    assert executor.run({"x": np.zeros((1, 3), np.float32)})["y"].tolist() == [BIAS.tolist()]


def test_without_the_cpu_in_the_list_nothing_runs_on_it(make_model: MakeModel) -> None:
    """Azure's provider is in every wheel, and runs nothing but its own operator."""
    path = make_model(linear("n"))
    azure = "AzureExecutionProvider"
    with pytest.raises(ConfigError, match="is no model that works here"):
        OnnxExecutor(path, OnnxRuntime((azure,)))
    assert OnnxExecutor(path, OnnxRuntime((azure, CPU))).info.runs_on == azure


def test_options_of_a_provider_that_is_not_asked_for() -> None:
    with pytest.raises(ValueError, match="provider_options names Cuda, which is not among"):
        OnnxRuntime((CPU,), {"Cuda": {}})


def test_two_packages_side_by_side_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[Any] = [
        SimpleNamespace(name=name, version="1.2")
        for name in ("onnxruntime", "onnxruntime-gpu", "onnxruntime_extensions", "onnx", "numpy")
    ]
    monkeypatch.setattr(onnx_providers, "distributions", lambda: names)
    assert runtime_packages() == ["onnxruntime 1.2", "onnxruntime-gpu 1.2"]
    with pytest.raises(ConfigError, match=r"1\.2 and onnxruntime-gpu 1\.2 are installed side by"):
        chosen(OnnxRuntime((CUDA,)), [CPU])
    monkeypatch.setattr(onnx_providers, "distributions", lambda: names[1:])
    with pytest.raises(ConfigError) as raised:
        chosen(OnnxRuntime((CUDA,)), [CPU])
    assert "side by side" not in str(raised.value)
