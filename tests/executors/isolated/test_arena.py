"""Arrays go through shared memory as they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamproc.core import Array, Columns
from streamproc.executors.isolated.arena import Arena
from streamproc.executors.isolated.messages import Tensor

KINDS = (
    *("float16", "float32", "float64", "int8", "int64", "uint8", "bool", "U3", "S4"),
    *("datetime64[ns]", "complex64"),
)


@pytest.fixture
def arena() -> Arena:
    return Arena.create()


def other_side(arena: Arena) -> Arena:
    return Arena(arena.fd)


@given(
    st.dictionaries(
        st.text(max_size=3),
        arrays.arrays(
            st.sampled_from(KINDS).map(np.dtype), arrays.array_shapes(min_side=0, max_side=9)
        ),
        max_size=4,
    )
)
def test_any_array_comes_as_it_went(columns: Columns) -> None:
    arena = Arena.create()
    reader = other_side(arena)
    for copy in (True, False):
        found = reader.read(arena.write(columns), copy=copy)
        assert found.keys() == columns.keys()
        for name, array in columns.items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert found[name].tobytes() == array.tobytes()
    arena.close()


def test_it_grows_on_both_sides(arena: Arena) -> None:
    reader = other_side(arena)
    for rows in (1, 100_000, 3, 1_000_000):
        sent = np.arange(rows, dtype=np.float64)
        np.testing.assert_array_equal(reader.read(arena.write({"x": sent}), copy=True)["x"], sent)


def test_a_copy_stays_and_a_view_does_not(arena: Arena) -> None:
    reader = other_side(arena)
    tensors = arena.write({"x": np.zeros(3)})
    copy, view = reader.read(tensors, copy=True)["x"], reader.read(tensors, copy=False)["x"]
    arena.write({"x": np.ones(3)})
    assert (copy.tolist(), view.tolist()) == ([0, 0, 0], [1, 1, 1])


def test_objects_are_written_as_msgpack(arena: Arena) -> None:
    words = np.array([["a", "long\0one"], [None, 3]], np.object_)
    found = other_side(arena).read(arena.write({"s": words}), copy=True)["s"]
    assert found.tolist() == words.tolist()
    assert found.dtype == np.object_


@pytest.mark.parametrize(
    "array",
    [np.array([object()], np.object_), np.zeros(2, np.dtype([("a", "f4")]))],
)
def test_what_cannot_go_is_refused(arena: Arena, array: Array) -> None:
    with pytest.raises(TypeError, match=r"'x' .*cannot go to the model's process or back"):
        arena.write({"x": array})


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("x", "<f8", (1 << 20,), 0, 1 << 23),
        Tensor("x", "<f8", (1,), -8, 8),
        Tensor("x", "|O", (1,), 0, 8),
        Tensor("x", "<f8", (3,), 0, 8),
    ],
)
def test_a_place_that_is_none_is_refused(arena: Arena, tensor: Tensor) -> None:
    with pytest.raises(ValueError, match=r"."):
        arena.read([tensor], copy=True)
