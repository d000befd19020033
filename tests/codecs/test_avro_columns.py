"""All records at once give what one by one gives, to the bit, and leave to it what is not plain."""

from typing import Any
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import avro
from streamproc.codecs.decoded import Decoded
from tests.codecs.test_avro import alone, record, written

SCHEMA = record(
    ("skipped", "string"),
    ("b", "boolean"),
    ("i", "int"),
    ("n", ["null", "long"]),
    ("inner", ["null", {**record(("d", "double"), ("s", "string")), "name": "Inner"}]),
    ("f", {"type": "array", "items": "float"}),
    ("w", {"type": "array", "items": "long"}),
    ("many", {"type": "array", "items": "double"}),
    ("tags", {"type": "map", "values": ["null", "bytes"]}),
    ("e", {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}),
    ("x", {"type": "fixed", "name": "X", "size": 3}),
    ("last", "float"),
)
FIELDS = {
    "last": "float32",
    "inner.s": "str",
    "inner.d": "float32",
    "b": "bool",
    "i": "int16",
    "n": "float64",
    "f": "float32[3]",
    "w": "int32[2]",
    "e": "str",
}
floats = st.floats(width=32)
events = st.fixed_dictionaries({
    "skipped": st.text(max_size=5),
    "b": st.booleans(),
    "i": st.integers(-40_000, 40_000),
    "n": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "inner": st.one_of(st.none(), st.fixed_dictionaries({"d": st.floats(), "s": st.text(max_size=9)})),
    "f": st.one_of(st.lists(floats, min_size=3, max_size=3), st.lists(floats, max_size=4)),
    "w": st.lists(st.integers(-(2**32), 2**32), min_size=2, max_size=2),
    "many": st.lists(st.floats(), max_size=3),
    "tags": st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.binary(max_size=4)), max_size=3),
    "e": st.sampled_from(["A", "B", "C"]),
    "x": st.binary(min_size=3, max_size=3),
    "last": floats,
})  # fmt: skip


def both(values: list[bytes | None]) -> tuple[Decoded, Decoded]:
    """At once, and one by one."""
    with mock.patch.object(avro, "_TOGETHER_MIN", 1):
        together = alone(SCHEMA, dict(FIELDS)).decode(list(values))
    with mock.patch.object(avro, "_TOGETHER_MIN", 1 << 30):
        single = alone(SCHEMA, dict(FIELDS)).decode(list(values))
    return together, single


def assert_same(one: Decoded, other: Decoded) -> None:
    assert (one.record is None) == (other.record is None)
    if one.record is not None:
        np.testing.assert_array_equal(one.record, other.record)
    assert {n: (e.reason, e.detail) for n, e in one.rejected.items()} == {
        n: (e.reason, e.detail) for n, e in other.rejected.items()
    }
    for name, column in one.columns.items():
        assert column.dtype == other.columns[name].dtype, name
        assert column.shape == other.columns[name].shape, name
        assert column.tolist() == other.columns[name].tolist(), name


@settings(max_examples=30, deadline=None)
@given(st.lists(events, max_size=12))
def test_any_events_are_read_alike(some: list[Any]) -> None:
    assert_same(*both([written(SCHEMA, event) for event in some]))


@settings(max_examples=40, deadline=None)
@given(st.lists(events, min_size=1, max_size=5), st.data())
def test_any_damage_is_found_alike(some: list[Any], data: st.DataObject) -> None:
    values: list[bytes | None] = []
    for event in some:
        value = bytearray(written(SCHEMA, event))
        for _ in range(data.draw(st.integers(0, 2))):
            value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
        values.append(bytes(value[: data.draw(st.integers(0, len(value)))] or value))
    assert_same(*both(values))


def test_plain_events_are_not_left_to_fastavro() -> None:
    event = {
        "skipped": "s" * 70,
        "b": True,
        "i": -7,
        "n": 2**40,
        "inner": {"d": 0.5, "s": "grün"},
        "f": [1.0, 2.0, 3.0],
        "w": [-1, 2**20],
        "many": [0.5] * 100,
        "tags": {"a": b"x", "b": None},
        "e": "B",
        "x": b"abc",
        "last": 1.5,
    }
    with mock.patch.object(avro, "_row", side_effect=AssertionError("one by one")):
        decoded = alone(SCHEMA, dict(FIELDS)).decode([written(SCHEMA, event)] * 50)
    assert not decoded.rejected
    assert decoded.columns["e"].tolist() == ["B"] * 50
    assert decoded.columns["inner.s"].tolist() == ["grün"] * 50
    assert decoded.columns["w"].tolist() == [[-1, 2**20]] * 50
