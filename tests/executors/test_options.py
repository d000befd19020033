"""What a user can set of the model."""

import pytest

from streamproc.executors import Model, OnnxRuntime, PythonModel, Signature, Simulated


@pytest.mark.parametrize("name", ["intra_op_threads", "concurrency"])
def test_counts_are_at_least_one(name: str) -> None:
    assert getattr(OnnxRuntime(**{name: 1}), name) == 1
    with pytest.raises(ValueError, match=f"{name} must be at least 1, was 0"):
        OnnxRuntime(**{name: 0})


def test_there_is_at_least_one_provider() -> None:
    with pytest.raises(ValueError, match="providers"):
        OnnxRuntime(providers=())


def test_onnxruntime_needs_a_file_and_the_others_do_not() -> None:
    with pytest.raises(ValueError, match=r"path is missing: name the ONNX file"):
        Model()
    assert Model("m.onnx").path == "m.onnx"
    assert Model(executor=PythonModel("a:b")).path is None
    assert Model(executor=Simulated()).path is None
    with pytest.raises(ValueError, match="no file that could be signed"):
        Model(executor=PythonModel("a:b"), signature=Signature(public_key="ours.pub"))
