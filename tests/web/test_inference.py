"""What a request of the Open Inference Protocol may say, and what it is told where it is at fault."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from streamproc.core import TensorSpec
from streamproc.web.inference import Asked, BadRequestError, Reply, answer, parse

TAKES = (TensorSpec("f", "float32", (2,)), TensorSpec("n", "int64", ()))
GIVES = (TensorSpec("p", "float32", (1,)), TensorSpec("q", "int64", ()))
F: dict[str, Any] = {"name": "f", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1]}
N: dict[str, Any] = {"name": "n", "shape": [1], "datatype": "INT64", "data": [3]}


def asked(*tensors: Any, raw: bytes = b"", **more: Any) -> Asked:
    head = json.dumps({"inputs": list(tensors), **more}).encode()
    return parse(head + raw, {"inference-header-content-length": str(len(head))})


def test_tensors_come_as_lists_flat_or_nested_and_as_bytes() -> None:
    raw = struct.pack("<2f", 0.5, 1)
    as_bytes = {"name": "f", "shape": [1, 2], "datatype": "FP32"}
    as_bytes["parameters"] = {"binary_data_size": 8}
    for found in (asked(F, N), asked(F | {"data": [[0.5, 1]]}, N), asked(as_bytes, N, raw=raw)):
        inputs = found.inputs(TAKES, 4)
        np.testing.assert_array_equal(inputs["f"], np.array([[0.5, 1]], np.float32))
        np.testing.assert_array_equal(inputs["n"], np.array([3]))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([F, F, N], "the input 'f' is there twice"),
        ([F | {"shape": [-1, 2]}, N], "the shape of 'f' must be whole and not negative, was -1"),
        ([F | {"shape": [True, 2]}, N], "was True"),
        ([F | {"shape": ["1", 2]}, N], "was '1'"),
        ([F | {"shape": [2**62, 2]}, N], "came with 2 elements"),
        ([F | {"shape": [3, 2]}, N], "FP32 [3, 2] came with 2 elements"),
        ([F | {"shape": 2}, N], "inputs[0] is not a tensor as the protocol says"),
        ([7, N], "inputs[0] must be an object"),
        ([{**F, "name": 3}, N], "was 3"),
        ([F | {"data": [None, 1]}, N], "hold a null, or a number that FP32 cannot hold"),
        ([F | {"data": [1e39, 1]}, N], "hold a null, or a number that FP32 cannot hold"),
        ([F | {"data": ["a", "b"]}, N], "data that are no FP32"),
        ([F | {"data": {"a": 1}}, N], "data that are no FP32"),
        ([F | {"data": [[1], [2, 3]]}, N], "data that are no FP32"),
        ([F, N | {"data": [1.5]}], "data that are no INT64"),
        ([F, N | {"data": [10**20]}], "data that are no INT64"),
        ([F, {"name": "n", "shape": [1], "datatype": "INT64"}], "there is no 'data'"),
        ([F, N | {"datatype": "int64"}], "the type 'int64', which is not supported"),
        ([F, N | {"parameters": [1]}], "the parameters of the input 'n' must be an object"),
        ([F, N | {"parameters": {"binary_data_size": -8}}], "binary_data_size of the input 'n'"),
        ([F, N | {"parameters": {"binary_data_size": "8"}}], "was '8'"),
        ([F, N | {"parameters": {"binary_data_size": 8}}], "INT64 [1] came with 0 bytes"),
        ([F, N, F | {"name": "g"}], "f FP32[rows, 2], n INT64[rows], and no g"),
        ([F, N | {"shape": [2], "data": [1, 2]}], "from 1 to 4: was 1 and 2"),
    ],
)
def test_what_is_no_tensor_is_said_of_the_one_that_is_none(tensors: list[Any], words: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        asked(*tensors).inputs(TAKES, 4)
    assert words in str(raised.value)


def test_bytes_behind_the_tensors_are_no_ones() -> None:
    with pytest.raises(BadRequestError, match="3 bytes behind its tensors"):
        asked(F, N, raw=b"abc").inputs(TAKES, 4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"id": 7}, "the id must be a text, was 7"),
        ({"parameters": [1]}, "the parameters of the request must be an object"),
        ({"parameters": {"timeout": True}}, "timeout must be a number of us from 1 to"),
    ],
)
def test_what_is_beside_the_tensors_is_looked_at_too(content: Any, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        asked(F, N, **content)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([{"name": "r"}], "no output 'r', only p, q"),
        ([{"nme": "p"}], r"outputs\[0\] must be an object with a name"),
        (["p"], r"outputs\[0\] must be an object with a name"),
        ({"name": "p"}, "must be a list"),
        ([{"name": "p", "parameters": 1}], "parameters of the output 'p'"),
    ],
)
def test_outputs_that_there_are_not_are_refused(outputs: Any, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        asked(F, N, outputs=outputs).wanted(GIVES)


def replied(found: Asked) -> tuple[dict[str, Any], bytes]:
    """The answer's JSON, and what is behind it."""
    outputs = {"p": np.array([[0.25]], np.float32), "q": np.array([7])}
    response = answer("m", found, Reply("on_time", outputs, "full"))
    body = bytes(response.body)
    end = int(response.headers.get("inference-header-content-length", len(body)))
    return json.loads(body[:end]), body[end:]


def test_only_the_outputs_that_were_asked_for_are_answered_each_in_its_form() -> None:
    content, raw = replied(asked(F, N))
    assert ([output["name"] for output in content["outputs"]], raw) == (["p", "q"], b"")
    content, raw = replied(asked(F, N, outputs=[{"name": "q"}]))
    assert content["outputs"] == [{"name": "q", "datatype": "INT64", "shape": [1], "data": [7]}]
    mixed = [{"name": "p", "parameters": {"binary_data": True}}, {"name": "q"}]
    content, raw = replied(asked(F, N, outputs=mixed))
    assert content["outputs"][0]["parameters"] == {"binary_data_size": 4}
    assert content["outputs"][1]["data"] == [7]
    assert raw == struct.pack("<f", 0.25)
    but_q = [{"name": "p"}, {"name": "q", "parameters": {"binary_data": False}}]
    content, raw = replied(asked(F, N, outputs=but_q, parameters={"binary_data_output": True}))
    assert (content["outputs"][1]["data"], raw) == ([7], struct.pack("<f", 0.25))


def test_an_output_that_only_the_run_shows_not_to_be_there_is_refused_then() -> None:
    found = asked(F, N, outputs=[{"name": "r"}])
    assert found.wanted(()) == {"r": False}
    outputs = {"p": np.array([[0.25]], np.float32)}
    response = answer("m", found, Reply("on_time", outputs, "full"))
    assert response.status_code == 400
    assert json.loads(bytes(response.body)) == {"error": "the model has no output 'r', only p"}
