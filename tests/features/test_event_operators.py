"""Operators that look at the event alone: what comes out for what goes in, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from streamproc.codecs import FieldType
from streamproc.core import Array, ConfigError, object_column
from streamproc.features import Feature, FeatureState, Program
from streamproc.features.operators import Bucket, Cast, Formula, Hash, KeySequence, OneHot, Scale

FIELDS = {
    "x": FieldType("float64"),
    "n": FieldType("int64"),
    "s": FieldType("str"),
    "v": FieldType("float32", (2,)),
    "b": FieldType("bool"),
}


def make(operator: Feature, **columns: Any) -> Array:
    """The one column that an operator makes."""
    program = Program([operator], fields=FIELDS, state=FeatureState())
    n = len(next(iter(columns.values())))
    made = program.advance(
        {
            name: object_column(values) if name == "s" else np.array(values, FIELDS[name].numpy)
            for name, values in columns.items()
        },
        key=object_column([None] * n),
        time_ns=np.zeros(n, np.int64),
        partition=0,
    )
    (name,) = program.made
    column = made.columns[name]
    assert column.shape == (n, *program.fields[name].shape)
    assert program.fields[name].numpy == column.dtype
    return column


@pytest.mark.parametrize(
    ("dtype", "x", "wanted"),
    [
        ("int8", [1.9, -1.9, 300.0, -300.0], [1, -1, 127, -128]),
        ("int64", [1e30, -1e30, 2.0**53], [2**63 - 1, -(2**63), 2**53]),
        ("float32", [0.1, 1e300], [np.float32(0.1), np.inf]),
        ("bool", [0.0, -2.0], [False, True]),
    ],
)
def test_a_cast_holds_what_does_not_fit(dtype: Any, x: list[float], wanted: list[Any]) -> None:
    assert make(Cast(field="x", dtype=dtype), x=x).tolist() == wanted


def test_a_cast_of_whole_numbers_is_exact() -> None:
    assert make(Cast(field="n", dtype="int16"), n=[2**63 - 1, -5]).tolist() == [32767, -5]
    assert make(Cast(field="b", dtype="int8"), b=[True, False]).tolist() == [1, 0]


def test_scaling_centres_divides_and_holds_within_bounds() -> None:
    scale = Scale(field="x", mean=10, std=2, low=-1, high=3)
    assert make(scale, x=[10, 12, 0, 99]).tolist() == [0, 1, -1, 3]
    assert make(Scale(field="v", std=0.5), v=[[1, 2], [3, 4]]).tolist() == [[2, 4], [6, 8]]


def test_categories() -> None:
    one_hot = OneHot(field="s", values=["buy", "sell"])
    assert make(one_hot, s=["sell", "none", "buy"]).tolist() == [[0, 1], [0, 0], [1, 0]]
    assert make(OneHot(field="n", values=["-3", "7"]), n=[7, -3]).tolist() == [[0, 1], [1, 0]]
    assert make(Bucket(field="x", edges=[0, 10]), x=[-1, 0, 9.9, 10]).tolist() == [0, 1, 1, 2]


def test_a_hash_is_fnv_1a() -> None:
    # The test vectors of draft-eastlake-fnv for "", "a" and "foobar".
    wanted = [0xCBF29CE484222325, 0xAF63DC4C8601EC8C, 0x85944171F73967E8]
    made = make(Hash(field="s", buckets=1_000), s=["", "a", "foobar"])
    assert made.tolist() == [value % 1_000 for value in wanted]
    assert make(Hash(field="n", buckets=7), n=[12]) == make(Hash(field="s", buckets=7), s=["12"])


def test_a_formula_is_an_expression_over_fields() -> None:
    assert make(Formula(of="x / n", as_="f"), x=[6, 1], n=[3, 0]).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (Cast(field="y", dtype="bool"), "'y' is no field"),
        (Scale(field="s"), "'s' is a str"),
        (Bucket(field="v", edges=[0]), "a single number is needed"),
        (OneHot(field="x", values=["a"]), "a category is a text or a whole number"),
        (Formula(of="x +", as_="f"), "is no expression"),
        (Formula(of="x", as_="n"), "'n' is there already"),
        (KeySequence(fields=["x"], steps=2, when="x"), "must be a condition"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(operator: Feature, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Program([operator], fields=FIELDS, state=FeatureState(), places=[4])
    assert caught.value.problems[0].key == "features[4]"
