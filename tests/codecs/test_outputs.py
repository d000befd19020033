"""What was decided, as columns and as JSON."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import Fields, Labelled, Numbers, Objects, Outputs
from streamproc.codecs.pieces import number_texts, row_texts

INT64 = st.integers(-(2**63), 2**63 - 1)
LABELS = ("down", 'u"p')
SCORES = np.array([[0.5, 0.25], [0.0, 1.0], [1.0, 0.0]], np.float32)
CHOICE = np.array([0, 1, 0])


def labelled(*, scores: bool) -> Labelled:
    texts = Labelled.texts_of(LABELS, scores=scores)
    return Labelled(LABELS, texts, CHOICE, SCORES if scores else None)


KINDS: list[tuple[Outputs, list[Any]]] = [
    (labelled(scores=False), [{"label": "down"}, {"label": 'u"p'}, {"label": "down"}]),
    (
        labelled(scores=True),
        [
            {"label": "down", "scores": [0.5, 0.25]},
            {"label": 'u"p', "scores": [0.0, 1.0]},
            {"label": "down", "scores": [1.0, 0.0]},
        ],
    ),
    (Numbers(SCORES[:, 0]), [0.5, 0.0, 1.0]),
    (Numbers(SCORES), [[0.5, 0.25], [0.0, 1.0], [1.0, 0.0]]),
    (Objects.of([{"a": 1}, None, "x"]), [{"a": 1}, None, "x"]),
    (
        Fields({"a": np.array([1, 2, 3]), "b": np.array(["x", "y", "z"])}),
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}],
    ),
]


@pytest.mark.parametrize(("outputs", "wanted"), KINDS)
def test_each_kind_is_written_row_by_row(outputs: Outputs, wanted: list[Any]) -> None:
    def read(some: Outputs) -> list[Any]:
        return [json.loads(text) for text in some.json_texts()]

    assert len(outputs) == 3
    assert read(outputs) == wanted
    assert read(outputs.take(slice(1, 3))) == wanted[1:]
    assert read(outputs.take(np.array([0, 2]))) == [wanted[0], wanted[2]]
    assert read(outputs.take(slice(0, 0))) == []


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        Objects.of([{1, 2}])


@settings(max_examples=50, deadline=None)
@given(st.lists(INT64, max_size=6), st.integers(1, 3))
def test_texts_of_numbers_also_of_a_view(numbers: list[int], step: int) -> None:
    column = np.repeat(np.array(numbers, np.int64), step)[::step]
    assert number_texts(column) == [b"%d" % number for number in numbers]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=width, max_size=width),
            max_size=4,
        ).map(lambda found: np.array(found, np.float32).reshape(len(found), width))
    )
)  # fmt: skip
def test_texts_of_rows_read_back_as_the_same_numbers(matrix: Any) -> None:
    texts = row_texts(matrix)
    assert len(texts) == len(matrix)
    for text, row in zip(texts, matrix, strict=True):
        np.testing.assert_array_equal(np.array(json.loads(b"[%b]" % text), np.float32), row)


def test_texts_of_rows_of_a_view() -> None:
    matrix = np.arange(12, dtype=np.float64).reshape(3, 4)
    assert row_texts(matrix[:, ::2]) == [b"0.0,2.0", b"4.0,6.0", b"8.0,10.0"]
    assert row_texts(matrix.T[:1]) == [b"0.0,4.0,8.0"]
