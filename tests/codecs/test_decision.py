"""The wire form of a decision, against its published schema."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamproc.codecs import (
    SCHEMA_VERSION,
    DecisionModel,
    JsonDecisionEncoder,
    Labelled,
    Objects,
    decode_decision,
    key_text,
)
from streamproc.codecs import decision as decision_module
from streamproc.core import EventBatch, ModelInfo, Outcome, TopicPartition
from tests.support.events import events_of

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


SOURCE = TopicPartition("orders.v1", 3)


def encode(
    encoder: JsonDecisionEncoder,
    events: EventBatch,
    outputs: list[bytes],
    *,
    decided_ns: int = 4,
    outcome: Outcome = Outcome.ON_TIME,
) -> list[bytes]:
    for column in (events.offset, events.event_time_ns, events.deadline_ns):
        column.setflags(write=False)
    return encoder.encode(
        source=SOURCE,
        outcome=outcome,
        events=events,
        decided_ns=decided_ns,
        outputs=Objects(outputs),
        traceparent={},
    )


def encode_one(
    encoder: JsonDecisionEncoder, key: bytes | None, output: bytes, *times: int
) -> bytes:
    offset, event_time_ns, deadline_ns, decided_ns = times or (1, 2, 3, 4)
    events = events_of(
        1, offset=[offset], key=[key], event_time_ns=[event_time_ns], deadline_ns=[deadline_ns]
    )
    (value,) = encode(encoder, events, [output], decided_ns=decided_ns)
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
    encoder = JsonDecisionEncoder(pipeline, ModelInfo(variant, MODEL.digest))
    events = events_of(
        len(rows),
        offset=[row[0] for row in rows],
        key=[row[1] for row in rows],
        event_time_ns=[row[2] for row in rows],
        deadline_ns=[row[3] for row in rows],
    )
    outputs = [b'{"place":%d}' % place for place in range(len(rows))]
    values = encode(encoder, events, outputs, decided_ns=decided_ns, outcome=outcome)
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
    good = json.loads(encode_one(JsonDecisionEncoder("p", MODEL), b"k", b"1"))
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
    text = json.loads(encode_one(JsonDecisionEncoder("p", MODEL), key, b"1"))["key"]
    if text.startswith("base64:"):
        assert base64.b64decode(text.removeprefix("base64:"), validate=True) == key
        with pytest.raises(UnicodeDecodeError):
            key.decode()
    else:
        assert text.encode() == key


def test_no_key_is_null() -> None:
    assert key_text(None) is None
    assert b'"key":null' in encode_one(JsonDecisionEncoder("p", MODEL), None, b"1")


def test_one_bad_key_does_not_change_its_neighbours() -> None:
    encoder = JsonDecisionEncoder("p", MODEL)
    for _ in range(2):  # the second time out of what is remembered
        events = events_of(4, offset=[1, 2, 3, 4], key=[b"a", b"\xff", None, b"a"])
        values = encode(encoder, events, [b"1"] * 4, outcome=Outcome.LATE)
        assert [json.loads(value)["key"] for value in values] == ["a", "base64:/w==", None, "a"]


def test_keys_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_module, "_KEYS_MAX", 10)
    encoder = JsonDecisionEncoder("p", MODEL)
    for number in range(100):
        key = b"%d" % number
        assert json.loads(encode_one(encoder, key, b"1"))["key"] == key.decode()
    assert len(encoder._keys) <= 11


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63), 0])
def test_large_times_are_exact(number: int) -> None:
    record = decode_decision(
        encode_one(JsonDecisionEncoder("p", MODEL), None, b"1", 7, *[number] * 3)
    )
    assert (record.event_time_ns, record.deadline_ns, record.decided_ns) == (number,) * 3
    assert record.model == DecisionModel("full", MODEL.digest)


def test_a_row_of_a_record_has_its_number_in_the_id() -> None:
    events = events_of(2, offset=[9, 9], row=[0, 12])
    values = encode(JsonDecisionEncoder("p", MODEL), events, [b"1"] * 2)
    assert [json.loads(value)["id"] for value in values] == ["orders.v1/3/9/0", "orders.v1/3/9/12"]
    assert not any(violations(json.loads(value), SCHEMA) for value in values)


TIMES = st.sampled_from([1, 10**18, 10**18 + 1])


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    count=st.integers(0, 12) | st.integers(190, 700),
    labels=st.lists(st.text(max_size=3), min_size=1, max_size=5, unique=True),
    with_scores=st.booleans(),
    each=st.none() | st.integers(1, 300),
)
def test_decisions_are_byte_by_byte_what_each_alone_would_be(
    data: st.DataObject,
    count: int,
    labels: list[str],
    with_scores: bool,
    each: int | None,
) -> None:
    """``each`` is how many rows a record holds; None where each is one event."""
    seed = data.draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    length = data.draw(st.sampled_from([1, 100]), label="neighbours with the same times")
    kinds = data.draw(st.lists(TIMES, min_size=1, max_size=3))
    places = np.arange(count)
    event_time_ns = np.array(kinds)[places // length % len(kinds)]
    deadline_ns = event_time_ns + rng.integers(0, 2) * places
    keys = [None, b"k", b'"', b"\xff"]
    events = events_of(
        count,
        offset=places if each is None else places // each + 7,
        row=None if each is None else places % each,
        key=[keys[place % len(keys)] for place in range(count)],
        event_time_ns=event_time_ns,
        deadline_ns=deadline_ns,
    )
    scores = rng.standard_normal((count, len(labels))).astype(rng.choice(["f4", "f8"]))
    choice = scores.argmax(axis=1)
    texts = Labelled.texts_of(labels, scores=with_scores)
    outputs = Labelled(labels, texts, choice, scores if with_scores else None)
    values = JsonDecisionEncoder("p", MODEL).encode(
        source=SOURCE,
        outcome=Outcome.LATE,
        events=events,
        decided_ns=9,
        outputs=outputs,
        traceparent={},
    )
    assert values == [alone(events, outputs, row) for row in range(count)]


def alone(events: EventBatch, outputs: Labelled, row: int) -> bytes:
    """One decision, written as an object."""
    output: dict[str, Any] = {"label": outputs.labels[outputs.choice[row]]}
    if outputs.scores is not None:
        output["scores"] = outputs.scores[row]
    place = "" if events.row is None else f"/{events.row[row]}"
    decision = {
        "id": f"{SOURCE.topic}/{SOURCE.partition}/{events.offset[row]}{place}",
        "schema_version": SCHEMA_VERSION,
        "pipeline": "p",
        "outcome": "late",
        "model": {"variant": MODEL.variant, "digest": MODEL.digest},
        "key": key_text(events.key[row]),
        "event_time_ns": int(events.event_time_ns[row]),
        "deadline_ns": int(events.deadline_ns[row]),
        "decided_ns": 9,
        "output": output,
    }
    return orjson.dumps(decision, option=orjson.OPT_SERIALIZE_NUMPY)
