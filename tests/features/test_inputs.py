"""What every way to make the model's inputs has in common."""

import numpy as np
import pytest

from streamproc.core import TensorSpec
from streamproc.features.inputs import fit, shape_fits


@pytest.mark.parametrize(
    ("shape", "wanted", "fits"),
    [
        ((3,), (3,), True),
        ((3,), (None,), True),
        ((3,), (4,), False),
        ((3,), (), False),
        ((), (), True),
        ((2, 3), (None, 3), True),
        ((2, 3), (6,), False),
    ],
)
def test_a_shape_fits(shape: tuple[int, ...], wanted: tuple[int | None, ...], fits: bool) -> None:
    assert shape_fits(shape, wanted) is fits


def test_what_fits_is_not_copied() -> None:
    made = np.zeros((2, 3), np.float32)
    made.setflags(write=False)
    assert fit("x", made, TensorSpec("x", "float32", (3,)), 2) is made
    assert fit("x", made, None, 2) is made


def test_the_type_is_the_models_and_the_memory_in_order() -> None:
    made = np.arange(6, dtype=np.float64).reshape(3, 2).T
    found = fit("x", made, TensorSpec("x", "float32", (3,)), 2)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.tolist() == made.tolist()


def test_a_column_becomes_a_matrix_of_width_one() -> None:
    assert fit("x", np.arange(3.0), TensorSpec("x", "float32", (1,)), 3).shape == (3, 1)
    assert fit("x", [1, 2], TensorSpec("x", "int64", (None,)), 2).shape == (2, 1)


def test_a_column_stays_one_for_a_model_that_takes_a_number_an_event() -> None:
    spec = TensorSpec("x", "float32", ())
    assert fit("x", np.arange(3.0), spec, 3).shape == (3,)
    assert fit("x", np.arange(3.0)[:, np.newaxis], spec, 3).shape == (3,)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (np.zeros((3, 2)), "features for 'x' have 3 rows for 2 events: one row an event is needed"),
        (np.float32(1), "features for 'x' have no rows for 2 events"),
        (None, "have no rows for 2 events"),
        (np.zeros((2, 3)), r"the shape \[3\] an event, the model takes \[2\]"),
        (np.zeros((2, 2, 1)), r"the shape \[2, 1\] an event, the model takes \[2\]"),
        (np.zeros(2), r"the shape \[1\] an event, the model takes \[2\]"),
        (np.array([["a", "b"]] * 2, object), "could not convert string to float"),
        ([[1, 2], [3]], "inhomogeneous"),
    ],
)
def test_what_does_not_fit_is_refused(made: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        fit("x", made, TensorSpec("x", "float32", (2,)), 2)


def test_no_events_are_no_trouble() -> None:
    assert fit("x", np.zeros((0, 2)), TensorSpec("x", "float32", (2,)), 0).shape == (0, 2)


def test_a_number_too_large_for_the_model_becomes_infinite_without_a_word() -> None:
    found = fit("x", np.array([[1e300]]), TensorSpec("x", "float32", (1,)), 1)
    assert found.tolist() == [[np.inf]]
