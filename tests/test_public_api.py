"""The public API is a list, and it is this one."""

import subprocess
import sys

import pytest

import streamproc


@pytest.mark.parametrize("name", streamproc.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(streamproc, name) is not None
    assert name in dir(streamproc)


def test_the_list_is_what_is_offered() -> None:
    assert sorted(streamproc.__all__, key=str.lower) == sorted(streamproc._ROOM_OF, key=str.lower)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipelin'"):
        streamproc.Pipelin  # noqa: B018 - the access is the test


def test_importing_it_loads_no_client_and_no_model_runtime() -> None:
    heavy = ["aiokafka", "onnxruntime", "numpy", "pydantic"]
    code = f"import streamproc, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
