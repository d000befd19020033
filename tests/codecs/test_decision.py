"""The wire form of a decision, against its published schema."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamproc.codecs import (
    SCHEMA_VERSION,
    DecisionEncoder,
    DecisionModel,
    decode_decision,
    key_text,
    row_texts,
)
from streamproc.codecs import decision as decision_module
from streamproc.codecs.decision import number_texts
from streamproc.core import ModelInfo, Outcome, object_column

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "decision.schema.json").read_text(encoding="utf-8")
)
TYPES = {"string": str, "integer": int, "null": type(None), "object": dict}
MODEL = ModelInfo("full", "sha256:0123456789ab")
INT64 = st.integers(-(2**63), 2**63 - 1)


def violations(value: Any, schema: dict[str, Any], place: str = "") -> list[str]:
    """What of a document is against a schema, for the words of JSON Schema that this one uses."""
    known = {*("type", "required", "properties", "enum", "const", "pattern"), "description"}
    assert schema.keys() - {"$schema", "title"} <= known, "teach this function the new words"
    found = []
    wanted = schema.get("type", [])
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if kinds and type(value) not in {TYPES[kind] for kind in kinds}:
        return [f"{place} is {type(value).__name__}, not {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place} is {value!r}, not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{place} is {value!r}, not {schema['const']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{place} is {value!r}, not like {schema['pattern']}")
    found += [
        f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value
    ]
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            found += violations(value[name], inner, f"{place}.{name}")
    return found


def read_only(values: list[int]) -> Any:
    array = np.array(values, np.int64)
    array.setflags(write=False)
    return array


def encode_one(encoder: DecisionEncoder, key: bytes | None, output: bytes, *times: int) -> bytes:
    offset, event_time_ns, deadline_ns, decided_ns = times or (1, 2, 3, 4)
    (value,) = encoder.encode(
        prefix="orders.v1/3/",
        outcome=Outcome.ON_TIME,
        offset=read_only([offset]),
        key=object_column([key]),
        event_time_ns=read_only([event_time_ns]),
        deadline_ns=read_only([deadline_ns]),
        decided_ns=decided_ns,
        output=[output],
    )
    return value


rows = st.lists(
    st.tuples(st.integers(0, 2**63 - 1), st.none() | st.binary(max_size=9), INT64, INT64),
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(
    rows=rows,
    outcome=st.sampled_from([Outcome.ON_TIME, Outcome.DEGRADED, Outcome.LATE]),
    pipeline=st.text(max_size=9),
    variant=st.text(max_size=9),
    decided_ns=INT64,
)
@example(rows=[], outcome=Outcome.LATE, pipeline='"', variant="\\", decided_ns=0)
def test_every_decision_is_what_the_schema_says_and_loses_nothing(
    rows: list[tuple[int, bytes | None, int, int]],
    outcome: Outcome,
    pipeline: str,
    variant: str,
    decided_ns: int,
) -> None:
    encoder = DecisionEncoder(pipeline, ModelInfo(variant, MODEL.digest))
    values = encoder.encode(
        prefix="orders.v1/3/",
        outcome=outcome,
        offset=read_only([row[0] for row in rows]),
        key=object_column([row[1] for row in rows]),
        event_time_ns=read_only([row[2] for row in rows]),
        deadline_ns=read_only([row[3] for row in rows]),
        decided_ns=decided_ns,
        output=[b'{"place":%d}' % place for place in range(len(rows))],
    )
    assert len(values) == len(rows)
    for place, (value, (offset, key, event_time_ns, deadline_ns)) in enumerate(
        zip(values, rows, strict=True)
    ):
        document = json.loads(value)
        assert not violations(document, SCHEMA)
        assert document == {
            "id": f"orders.v1/3/{offset}",
            "schema_version": SCHEMA_VERSION,
            "pipeline": pipeline,
            "outcome": outcome.word,
            "model": {"variant": variant, "digest": MODEL.digest},
            "key": key_text(key),
            "event_time_ns": event_time_ns,
            "deadline_ns": deadline_ns,
            "decided_ns": decided_ns,
            "output": {"place": place},
        }
        assert msgspec.to_builtins(decode_decision(value)) == document


def test_the_helper_above_sees_what_is_wrong() -> None:
    good = json.loads(encode_one(DecisionEncoder("p", MODEL), b"k", b"1"))
    assert not violations(good, SCHEMA)
    for wrong in (
        *({name: text for name, text in good.items() if name != lost} for lost in good),
        good | {"outcome": "shed"},
        good | {"schema_version": 2},
        good | {"id": "t/1"},
        good | {"decided_ns": 1.0},
        good | {"decided_ns": True},
        good | {"model": {"variant": "full"}},
        good | {"key": 1},
        [good],
    ):
        assert len(violations(wrong, SCHEMA)) == 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=12) | st.text(max_size=6).map(str.encode))
@example(b"\xff\xfe")
@example(b"")
@example(b'"\\\x00\x7f')
def test_a_key_is_text_or_its_bytes_in_base64(key: bytes) -> None:
    text = json.loads(encode_one(DecisionEncoder("p", MODEL), key, b"1"))["key"]
    if text.startswith("base64:"):
        assert base64.b64decode(text.removeprefix("base64:"), validate=True) == key
        with pytest.raises(UnicodeDecodeError):
            key.decode()
    else:
        assert text.encode() == key


def test_no_key_is_null() -> None:
    assert key_text(None) is None
    assert b'"key":null' in encode_one(DecisionEncoder("p", MODEL), None, b"1")


def test_one_bad_key_does_not_change_its_neighbours() -> None:
    encoder = DecisionEncoder("p", MODEL)
    for _ in range(2):  # the second time out of what is remembered
        values = encoder.encode(
            prefix="t/0/",
            outcome=Outcome.LATE,
            offset=read_only([1, 2, 3, 4]),
            key=object_column([b"a", b"\xff", None, b"a"]),
            event_time_ns=read_only([0] * 4),
            deadline_ns=read_only([0] * 4),
            decided_ns=0,
            output=[b"1"] * 4,
        )
        assert [json.loads(value)["key"] for value in values] == ["a", "base64:/w==", None, "a"]


def test_keys_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_module, "_KEYS_MAX", 10)
    encoder = DecisionEncoder("p", MODEL)
    for number in range(100):
        key = b"%d" % number
        assert json.loads(encode_one(encoder, key, b"1"))["key"] == key.decode()
    assert len(encoder._keys) <= 11


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63), 0])
def test_large_times_are_exact(number: int) -> None:
    record = decode_decision(encode_one(DecisionEncoder("p", MODEL), None, b"1", 7, *[number] * 3))
    assert (record.event_time_ns, record.deadline_ns, record.decided_ns) == (number,) * 3
    assert record.model == DecisionModel("full", MODEL.digest)


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
