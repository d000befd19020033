"""Decisions as rows of an Arrow record, against what the same decisions say in JSON."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import (
    ArrowDecisions,
    Fields,
    JsonDecisionEncoder,
    Labelled,
    Numbers,
    Objects,
    Outputs,
    decode_decision,
)
from streamproc.codecs.arrow_decision import (
    ArrowDecisionEncoder,
    _keys,
    decode_arrow_decisions,
)
from streamproc.codecs.arrow_stream import to_stream
from streamproc.core import EventBatch, ModelInfo, Outcome, TopicPartition
from tests.support.events import events_of

MODEL = ModelInfo("full", "sha256:0123456789ab")
SOURCE = TopicPartition("ticks", 3)
SCORES = np.array([[0.5, 0.25], [0.0, 1.0], [1.0, 0.0]], np.float32)
CHOICE = np.array([0, 1, 0])
LABELS = ("down", "up")

OUTPUTS: list[Outputs] = [
    Labelled(LABELS, Labelled.texts_of(LABELS, scores=True), CHOICE, SCORES),
    Labelled(LABELS, Labelled.texts_of(LABELS, scores=False), CHOICE, None),
    Numbers(SCORES),
    Numbers(SCORES[:, 0]),
    Numbers(SCORES[:, :, np.newaxis]),
    Fields({"a": np.array([1, 2, 3]), "b": np.array(["x", "y", "z"]), "c": SCORES}),
    Objects.of([{"any": [1, "x"]}, None, 7]),
]


def events(**changes: Any) -> EventBatch:
    columns: dict[str, Any] = {
        "offset": [5, 5, 6],
        "row": [0, 1, 0],
        "key": [b"BTC", None, b"\xff"],
        "event_time_ns": [1, 2, 2**62],
        "deadline_ns": [11, 12, 13],
    }
    return events_of(3, **(columns | changes))


def encode(encoder: Any, some: EventBatch, outputs: Outputs, **more: Any) -> list[bytes]:
    values: list[bytes] = encoder.encode(
        source=SOURCE,
        outcome=Outcome.ON_TIME,
        events=some,
        decided_ns=99,
        outputs=outputs,
        traceparent=more.get("traceparent", {}),
    )
    return values


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("row", [[0, 1, 0], None])
def test_it_says_what_json_says(outputs: Outputs, row: list[int] | None) -> None:
    some = events(row=row)
    texts = encode(JsonDecisionEncoder("p", MODEL), some, outputs)
    (value,) = encode(ArrowDecisionEncoder(ArrowDecisions(), "p", MODEL), some, outputs)
    found = [msgspec.to_builtins(d) for d in decode_arrow_decisions(value)]
    assert found == [msgspec.to_builtins(decode_decision(text)) for text in texts]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_the_columns(compression: Any) -> None:
    encoder = ArrowDecisionEncoder(ArrowDecisions(compression), "p", MODEL)
    (value,) = encode(encoder, events(), OUTPUTS[0], traceparent={1: b"00-a-b-01"})
    table = pa.ipc.open_stream(value).read_all()
    assert table.schema.metadata == {
        b"streamproc.schema_version": b"1",
        b"streamproc.pipeline": b"p",
        b"streamproc.variant": b"full",
        b"streamproc.digest": b"sha256:0123456789ab",
        b"streamproc.topic": b"ticks",
        b"streamproc.partition": b"3",
        b"streamproc.outcome": b"on_time",
    }
    assert table["traceparent"].to_pylist() == [None, "00-a-b-01", None]
    assert table["decided_ns"].to_pylist() == [99] * 3
    assert str(table.schema.field("output").type) == (
        "struct<label: dictionary<values=string, indices=int16, ordered=0>, "
        "scores: fixed_size_list<item: float>[2]>"
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(OUTPUTS) - 1),
            st.sampled_from([Outcome.ON_TIME, Outcome.LATE]),
            st.booleans(),
            st.sampled_from([{}, {1: b"00-a-b-01"}]),
            st.sampled_from([[None] * 3, [b"BTC", None, b"\xff"], [None, b"", b"x"]]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_made_once_makes_no_other_bytes(decisions: list[Any]) -> None:
    """Against an encoder that has never written anything before, and so makes all with pyarrow's writer."""
    encoder = ArrowDecisionEncoder(ArrowDecisions(), "p", MODEL)
    for which, outcome, with_rows, traceparent, key in decisions:
        some = events(row=[0, 1, 0] if with_rows else None, key=key)
        arguments: dict[str, Any] = {
            "source": SOURCE,
            "outcome": outcome,
            "events": some,
            "decided_ns": 99,
            "outputs": OUTPUTS[which],
            "traceparent": traceparent,
        }
        fresh = ArrowDecisionEncoder(ArrowDecisions(), "p", MODEL)
        assert encoder.encode(**arguments) == fresh.encode(**arguments)


def test_keys_of_which_there_are_none_are_the_bytes_that_pyarrow_makes_of_them() -> None:
    made, plain = (
        to_stream(pa.RecordBatch.from_pydict({"key": key}))
        for key in (_keys(np.full(3, None, np.object_)), pa.array([None] * 3, pa.binary()))
    )
    assert made == plain


def test_labels_are_never_those_of_another_model() -> None:
    encoder = ArrowDecisionEncoder(ArrowDecisions(), "p", MODEL)
    for labels in (LABELS, ("no", "yes"), LABELS):
        outputs = Labelled(labels, Labelled.texts_of(labels, scores=True), CHOICE, SCORES)
        (value,) = encode(encoder, events(), outputs)
        said = [decision.output for decision in decode_arrow_decisions(value)]
        assert [output["label"] for output in said] == [labels[place] for place in CHOICE]  # type: ignore[index]


def test_another_record_is_none() -> None:
    with pytest.raises(ValueError, match="no Arrow record of decisions"):
        decode_arrow_decisions(b"{}")
