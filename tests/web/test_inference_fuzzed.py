"""What a stranger may send to the front door is an answer of 400 at worst."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import TensorSpec
from streamproc.web.inference import BadRequestError, parse

TAKES = (TensorSpec("input", "float32", (1,)),)


def content(parameters: Any = None, **changes: Any) -> dict[str, Any]:
    tensor = {"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}
    return {"inputs": [tensor | changes], "parameters": parameters}


def read(body: Any, headers: dict[str, str] | None = None) -> tuple[int | None, int | None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = parse(raw, headers or {})
    asked.inputs(TAKES, 8)
    return asked.times


@pytest.mark.parametrize("header", ["x-deadline-ns", "inference-header-content-length"])
@pytest.mark.parametrize("value", ["²", "-1", "+1", "1_0", "", "9" * 20, "9" * 5_000, "soon"])
def test_a_header_that_is_no_number_is_refused(header: str, value: str) -> None:
    with pytest.raises(BadRequestError, match=header):
        read(content(), {header: value})


@pytest.mark.parametrize("parameters", [[1], "x", 5, {"timeout": True}, {"timeout": 2**63}])
def test_parameters_that_are_none_are_refused(parameters: Any) -> None:
    with pytest.raises(BadRequestError, match="parameter"):
        read(content(parameters))


@pytest.mark.parametrize(
    ("datatype", "data"),
    [("INT8", [300]), ("UINT64", [-1]), ("INT64", [2**64 - 1]), ("INT64", [{}]), ("INT8", "x")],
)
def test_numbers_that_do_not_fit_their_type_are_refused(datatype: str, data: Any) -> None:
    with pytest.raises(BadRequestError, match="not a tensor"):
        read(content(datatype=datatype, data=data))


def test_raw_tensors_cannot_overlap() -> None:
    raw = {"name": "input", "shape": [1, 1], "datatype": "FP32"}
    sizes = [4, -4, 4]
    tensors = [
        raw | {"name": f"t{n}", "parameters": {"binary_data_size": size}}
        for n, size in enumerate(sizes)
    ]
    head = json.dumps({"inputs": tensors}).encode()
    tail = np.array([1, 2], np.float32).tobytes()
    with pytest.raises(BadRequestError, match="not negative, was -4"):
        read(head + tail, {"inference-header-content-length": str(len(head))})


def test_times_are_in_ns() -> None:
    times = read(content({"timeout": 20_000}), {"x-deadline-ns": "1700000000000000000"})
    assert times == (1_700_000_000_000_000_000, 20_000_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@given(
    shape=JSON, datatype=JSON | st.sampled_from(["FP32", "INT8", "BYTES", "BOOL"]), data=JSON, parameters=JSON, of_tensor=JSON
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_whatever_comes_is_read_or_refused(
    shape: Any, datatype: Any, data: Any, parameters: Any, of_tensor: Any
) -> None:
    body = content(parameters)
    body["inputs"][0] |= {
        "shape": shape,
        "datatype": datatype,
        "data": data,
        "parameters": of_tensor,
    }
    try:
        deadline_ns, timeout_ns = read(body)
    except BadRequestError:
        return
    assert deadline_ns is None
    assert timeout_ns is None or 0 < timeout_ns < 2**62
