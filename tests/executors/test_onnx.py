"""onnxruntime: what it says of a model, what it refuses, and what it computes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from streamproc.core import ConfigError, TensorSpec
from streamproc.executors import OnnxExecutor, OnnxRuntime
from streamproc.executors.onnx_settings import session_options
from tests.executors.conftest import BIAS, WEIGHTS, MakeModel, identities, linear


def refusal(path: str, options: OnnxRuntime | None = None) -> tuple[str, str]:
    with pytest.raises(ConfigError) as raised:
        OnnxExecutor(path, options or OnnxRuntime())
    (problem,) = raised.value.problems
    return problem.key, problem.message


def test_it_says_what_the_model_takes_and_gives(make_model: MakeModel) -> None:
    path = make_model(linear("batch"))
    executor = OnnxExecutor(path, OnnxRuntime())
    info = executor.info
    assert info.inputs == (TensorSpec("x", "float32", (3,)),)
    assert info.outputs == (TensorSpec("y", "float32", (2,)),)
    assert info.batch_max is None
    assert info.runs_on == "CPUExecutionProvider"
    assert info.digest == f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]}"
    assert (executor.concurrency, executor.inline) == (1, True)
    executor.close()


def test_the_digest_changes_with_the_content_and_not_with_the_name(make_model: MakeModel) -> None:
    digests = [
        OnnxExecutor(make_model(graph, name), OnnxRuntime()).info.digest
        for graph, name in ((linear("n"), "a"), (linear("n"), "b"), (linear("m"), "c"))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_it_computes_what_numpy_computes(make_model: MakeModel, size: int) -> None:
    executor = OnnxExecutor(make_model(linear("batch")), OnnxRuntime(concurrency=3))
    rows = np.arange(size * 3, dtype=np.float32).reshape(size, 3)
    rows.setflags(write=False)
    outputs = executor.run({"x": rows})
    assert outputs.keys() == {"y"}
    np.testing.assert_allclose(outputs["y"], rows @ WEIGHTS + BIAS, rtol=1e-6)
    assert executor.concurrency == 3


def test_inputs_of_many_kinds_and_shapes(make_model: MakeModel) -> None:
    inputs = [
        ("d", TensorProto.DOUBLE, ["n", "any", 2]),
        ("i", TensorProto.INT64, ["n"]),
        ("t", TensorProto.BOOL, ["n", 1]),
        ("h", TensorProto.FLOAT16, ["n", 1]),
        ("s", TensorProto.STRING, ["n", 1]),
    ]
    executor = OnnxExecutor(make_model(identities(inputs)), OnnxRuntime())
    assert executor.info.inputs == (
        TensorSpec("d", "float64", (None, 2)),
        TensorSpec("i", "int64", ()),
        TensorSpec("t", "bool", (1,)),
        TensorSpec("h", "float16", (1,)),
        TensorSpec("s", "object", (1,)),
    )
    given = {
        spec.name: np.zeros((2, *(size or 3 for size in spec.shape)), spec.dtype)
        for spec in executor.info.inputs[:4]
    }
    given["s"] = np.array([["a"], ["b"]], object)
    outputs = executor.run(given)
    for name, array in given.items():
        assert outputs[f"{name}_out"].tolist() == array.tolist()


def test_a_batch_axis_of_one_is_allowed_and_said(make_model: MakeModel) -> None:
    assert OnnxExecutor(make_model(linear(1)), OnnxRuntime()).info.batch_max == 1


def test_a_batch_axis_of_four_is_refused_with_what_to_do(make_model: MakeModel) -> None:
    key, text = refusal(make_model(linear(4)))
    assert key == "model.path"
    assert "takes batches of exactly 4: export it with a dynamic first axis, or with 1" in text


def test_inputs_with_different_batch_axes_are_told_by_the_wrong_one(make_model: MakeModel) -> None:
    inputs = [(f"x{size}", TensorProto.FLOAT, [size, 2]) for size in (1, 4)]
    _, text = refusal(make_model(identities(inputs)))
    assert "takes batches of exactly 4" in text


def test_an_element_type_that_is_not_supported(make_model: MakeModel) -> None:
    key, text = refusal(make_model(identities([("x", TensorProto.UINT64, ["n"])])))
    assert key == "model.path"
    assert "'x' is of type tensor(uint64), which is not supported" in text


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    path = str(tmp_path / "none.onnx")
    assert refusal(path) == ("model.path", f"{path} cannot be read: No such file or directory")
    assert "is a folder" in refusal(str(tmp_path))[1]


@pytest.mark.parametrize("content", [b"", b"this is no model", b"\x08\x09" * 40])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.onnx"
    path.write_bytes(content)
    key, text = refusal(str(path))
    assert key == "model.path"
    assert text.startswith(f"{path} is no model that works here: ")
    assert "\n" not in text


def test_a_provider_that_is_not_installed(make_model: MakeModel) -> None:
    key, text = refusal(make_model(linear("n")), OnnxRuntime(providers=("NoSuchProvider",)))
    assert key == "model.executor.onnxruntime.providers"
    assert text.startswith("NoSuchProvider is not in this onnxruntime: it has ")
    assert "CPUExecutionProvider" in text


def test_inputs_that_do_not_fit_raise(make_model: MakeModel) -> None:
    executor = OnnxExecutor(make_model(linear("n")), OnnxRuntime())
    for wrong in ({}, {"x": np.zeros((1, 4), np.float32)}, {"x": np.zeros((1, 3), np.float64)}):
        with pytest.raises(Exception):  # noqa: B017, PT011 - onnxruntime's have no common ancestor
            executor.run(wrong)
    assert executor.run({"x": np.zeros((1, 3), np.float32)})["y"].tolist() == [BIAS.tolist()]


@pytest.mark.parametrize(
    "options",
    [
        OnnxRuntime(intra_op_threads=2, spinning=False),
        OnnxRuntime(arena=False),
        OnnxRuntime(execution_mode="parallel", inter_op_threads=2),
        *(OnnxRuntime(graph_optimization=level) for level in ("extended", "basic", "none")),  # type: ignore[arg-type]
    ],
)
def test_settings_change_times_and_no_answers(make_model: MakeModel, options: OnnxRuntime) -> None:
    executor = OnnxExecutor(make_model(linear("n")), options)
    x = np.array([[1, 2, 3]], np.float32)
    assert np.allclose(executor.run({"x": x})["y"], x @ WEIGHTS + BIAS)


def test_settings_are_the_sessions_own() -> None:
    options = OnnxRuntime(
        intra_op_threads=2,
        spinning=False,
        arena=False,
        execution_mode="parallel",
        inter_op_threads=3,
        graph_optimization="basic",
    )
    settings = session_options(options)
    assert (settings.intra_op_num_threads, settings.inter_op_num_threads) == (2, 3)
    assert not settings.enable_cpu_mem_arena
    assert settings.execution_mode.name == "ORT_PARALLEL"
    assert settings.graph_optimization_level.name == "ORT_ENABLE_BASIC"
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize(
    "options", [{"execution_mode": "parallel"}, {"inter_op_threads": 2}, {"inter_op_threads": 0}]
)
def test_settings_that_say_nothing_together_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="inter_op_threads"):
        OnnxRuntime(**options)  # type: ignore[arg-type]
