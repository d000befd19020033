"""The user's own feature function."""

from collections.abc import Callable

import numpy as np
import pytest

from streamproc.core import EventBatch, TensorSpec
from streamproc.features import PythonFeatures
from tests.features.test_fields import some

ONE = [TensorSpec("x", "float32", (2,))]
TWO = [TensorSpec("x", "float32", (2,)), TensorSpec("y", "int64", (1,))]


def build(
    function: Callable[..., object], inputs: list[TensorSpec], **options: object
) -> dict[str, list[object]]:
    made = PythonFeatures(function, options=options, inputs=inputs).build(some())
    for spec in inputs:
        assert made[spec.name].dtype == spec.dtype
    return {name: array.tolist() for name, array in made.items()}


def test_it_gets_the_events_and_its_options_and_may_give_one_array() -> None:
    def function(batch: EventBatch, *, scale: float) -> object:
        return np.stack([batch["a"], batch["b"] * scale], axis=1)

    assert build(function, ONE, scale=10.0) == {"x": [[1, 5], [2, 15]]}


def test_it_may_give_arrays_by_name_and_more_than_the_model_takes() -> None:
    made = {"y": [3, 4], "x": np.zeros((2, 2)), "note": "for me"}
    assert build(lambda _: made, TWO) == {"x": [[0, 0], [0, 0]], "y": [[3], [4]]}


def test_for_a_model_that_does_not_say_what_it_takes_all_is_handed_on() -> None:
    assert build(lambda _: [[1], [2]], []) == {"input": [[1], [2]]}
    assert build(lambda _: {"p": [1, 2], "q": [[3], [4]]}, []) == {"p": [1, 2], "q": [[3], [4]]}
    with pytest.raises(ValueError, match="features for 'p' have 1 rows for 2 events"):
        build(lambda _: {"p": [1]}, [])


@pytest.mark.parametrize(
    ("made", "inputs", "text"),
    [
        (np.zeros((3, 2)), ONE, "features for 'x' have 3 rows for 2 events"),
        (np.zeros((2, 3)), ONE, r"have the shape \[3\] an event, the model takes \[2\]"),
        (None, ONE, "features for 'x' have no rows"),
        (np.zeros((2, 2)), TWO, "the model takes x, y: return a mapping of arrays by these names"),
        ({"x": np.zeros((2, 2))}, TWO, "the feature function gave no y, which the model takes"),
        ({}, TWO, "gave no x, y, which"),
        ({"x": np.zeros((2, 2)), "y": [1]}, TWO, "features for 'y' have 1 rows for 2 events"),
    ],
)
def test_what_does_not_fit_is_told(made: object, inputs: list[TensorSpec], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build(lambda _: made, inputs)


def test_what_it_raises_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        build(lambda _: 1 / 0, ONE)
