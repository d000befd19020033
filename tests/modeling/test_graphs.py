"""ONNX files, read and written."""

from pathlib import Path

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.modeling.graphs import load_graph, packed, parameters_total, save_graph, tensors_of
from streamproc.modeling.inference import run_in_batches
from tests.modeling.conftest import events, network


def test_weights_that_are_kept_in_half_are_read_in_single(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    save_graph(packed(network()), path)
    found = load_graph(path)
    assert {array.dtype for array in tensors_of(found).values()} == {np.dtype(np.float32)}
    assert not [node for node in found.graph.node if node.op_type == "Cast"]
    assert parameters_total(found) == parameters_total(network())
    x = {"x": events(8)}
    np.testing.assert_allclose(
        run_in_batches(found, x), run_in_batches(network(), x), rtol=0.02, atol=0.01
    )


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no ONNX model"):
        load_graph(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_graph(tmp_path / "none.onnx")
