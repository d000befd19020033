"""Decisions as rows of an Arrow record, against what the same decisions say in JSON."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

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
from streamproc.codecs.arrow_decision import ArrowDecisionEncoder, decode_arrow_decisions
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


def test_another_record_is_none() -> None:
    with pytest.raises(ValueError, match="no Arrow record of decisions"):
        decode_arrow_decisions(b"{}")
