"""What an ONNX file refers to; the onnx package writes, the walk reads."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from streamproc.executors.models.onnx_walk import external_locations
from tests.executors.conftest import linear


def external(name: str, location: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("offset", "0"), ("location", location), ("length", "8")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def content(graph: onnx.GraphProto) -> memoryview:
    return memoryview(helper.make_model(graph).SerializeToString())


def test_a_model_that_is_whole_refers_to_nothing() -> None:
    assert external_locations(content(linear("n"))) == set()


def test_initializers_attributes_and_subgraphs_are_followed() -> None:
    inner = helper.make_graph([], "inner", [], [], [external("a", "inner.bin")])
    deep = helper.make_graph(
        [
            helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
            helper.make_node("Constant", [], ["k"], value=external("b", "sub/constant.bin")),
        ],
        "deep",
        [],
        [],
        [external("c", "weights.bin"), external("d", "weights.bin")],
    )
    assert external_locations(content(deep)) == {"inner.bin", "sub/constant.bin", "weights.bin"}


def test_functions_and_sparse_tensors_are_followed() -> None:
    model = helper.make_model(linear("n"))
    node = helper.make_node("Constant", [], ["k"], value=external("f", "function.bin"))
    function = helper.make_function("d", "f", [], ["k"], [node], [helper.make_opsetid("", 17)])
    model.functions.append(function)
    indices = numpy_helper.from_array(np.array([0, 1]), "i")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(external("s", "sparse.bin"), indices, [2])
    )
    found = external_locations(memoryview(model.SerializeToString()))
    assert found == {"function.bin", "sparse.bin"}


@pytest.mark.parametrize("what", [b"no model", b"\xff" * 40, b"\x08\x09", b"\x0a\x05ab"])
def test_what_is_no_model_is_said_to_be_none(what: bytes) -> None:
    with pytest.raises(ValueError, match=r"protobuf|cut off|no graph"):
        external_locations(memoryview(what))


@given(st.integers(0, 10_000))
def test_a_model_that_was_cut_off_is_never_taken_for_a_whole_one(length: int) -> None:
    whole = content(linear("n"))
    cut = whole[: length % len(whole)]
    graph_begins = bytes(whole).index(b"linear") - 20
    if len(cut) > graph_begins:
        try:
            external_locations(cut)
        except ValueError:
            return
        # Cut between the graph and what stands behind it, it is a model without an operator set.
        assert onnx.load_model_from_string(bytes(cut)).graph.node


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(what: bytes) -> None:
    try:
        external_locations(memoryview(what))
    except ValueError:
        return
