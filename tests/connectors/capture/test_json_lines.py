"""JSON lines of many a form become what a consumer would have fetched."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streamproc.connectors.capture import JsonLines, LineForm, open_lines
from streamproc.core import ConfigError, RecordBatch, TopicPartition


def read(*lines: object, **form: Any) -> list[RecordBatch]:
    """The batches of lines, each some JSON or bytes as they are."""
    texts = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
    return list(JsonLines(LineForm(**{"topic": "t"} | form), "f.jsonl").batches(texts))


def test_a_record_says_everything() -> None:
    (batch,) = read(
        {
            "topic": "ticks", "partition": 3, "offset": 41, "timestamp": 1_700_000_000_123, "key": "k",
            "value": {"x": 1.50}, "headers": [["a", "1"], ["a", None]], "consumed_ns": 1_700_000_000_999_000_000,
        }
    )  # fmt: skip
    assert batch.source == TopicPartition("ticks", 3)
    assert batch.offset.tolist() == [41]
    assert batch.timestamp_ns.tolist() == [1_700_000_000_123_000_000]
    assert (batch.key, batch.value) == ([b"k"], [b'{"x":1.5}'])
    assert batch.headers == {0: [("a", b"1"), ("a", None)]}
    assert batch.arrival_ns == 1_700_000_000_999_000_000
    assert batch.end_position == 42


def test_what_kcat_writes_is_read() -> None:
    (batch,) = read(
        {
            "topic": "ticks", "partition": 0, "offset": 7, "tstype": "create", "ts": 1_700_000_000_001,
            "broker": 1, "headers": ["a", "1", "b", "2"], "key": None, "payload": '{"x": 1}',
        }
    )  # fmt: skip
    assert batch.timestamp_ns.tolist() == [1_700_000_000_001_000_000]
    assert (batch.key, batch.value) == ([None], [b'{"x": 1}'])
    assert batch.headers == {0: [("a", b"1"), ("b", b"2")]}


def test_plain_events_are_values() -> None:
    first, second = read(
        {"id": "a", "at": {"ms": 5}},
        {"id": "b", "at": {"ms": 9}},
        topic="events",
        key="id",
        time="at.ms",
    )
    assert first.source == TopicPartition("events", 0)
    assert (first.key, first.value) == ([b"a"], [b'{"id":"a","at":{"ms":5}}'])
    assert (first.timestamp_ns.tolist(), first.arrival_ns) == ([5_000_000], 5_000_000)
    assert second.offset.tolist() == [1]


def test_a_value_may_be_text_bytes_or_nothing() -> None:
    (batch,) = read(
        *({"value": value, "timestamp": 1} for value in ("text", None, "")),
        {"value_base64": "/wA=", "key_base64": "/w==", "timestamp": 1},
    )
    assert batch.value == [b"text", None, b"", b"\xff\x00"]
    assert batch.key == [None, None, None, b"\xff"]


def test_without_times_records_come_at_a_rate() -> None:
    batches = read({"value": 1}, {"value": 2}, {"value": 3}, per_second=10)
    first = batches[0].arrival_ns
    assert [b.arrival_ns - first for b in batches] == [0, 100_000_000, 200_000_000]
    assert [b.timestamp_ns.tolist() for b in batches] == [[-1]] * 3


def test_nothing_is_consumed_before_what_stands_in_front_of_it() -> None:
    reading = JsonLines(LineForm("t"), "f")
    lines = (json.dumps({"value": 1, "timestamp": at}).encode() for at in (5, 3, 9))
    batches = list(reading.batches(lines))
    assert [(b.timestamp_ns.tolist(), b.arrival_ns) for b in batches] == [
        ([5_000_000, 3_000_000], 5_000_000),
        ([9_000_000], 9_000_000),
    ]
    assert reading.held_total == 1


def test_times_may_be_texts() -> None:
    for text in (
        "1970-01-01T00:00:01.5Z",
        "1970-01-01T01:00:01.500+01:00",
        "1970-01-01T00:00:01.5",
    ):
        (batch,) = read({"value": 1, "timestamp": text})
        assert batch.timestamp_ns.tolist() == [1_500_000_000]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "f.jsonl:2: no record"),
        (b"[1]", "must be an object, was list"),
        (b'{"value": 1, "timestamp": "soon"}', "soon"),
        (b'{"value": 1, "timestamp": true}', "True is no time"),
        (b'{"value": 1, "offset": 0}', "does not come after the one before"),
        (b'{"value": 1, "timestamp": 99999999999999999999}', "is the unit right"),
        (b'{"value_base64": "?"}', "f.jsonl:2"),
        (b'{"value": 1, "headers": ["a"]}', "f.jsonl:2"),
    ],
)
def test_a_line_that_is_no_record_is_named(line: bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read({"value": 1}, line)
    assert words in str(caught.value)


def test_blank_lines_and_packed_files(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"value": 1}\n\n  \n{"value": 2}\n'))
    with open_lines(path) as file:
        assert sum(map(len, JsonLines(LineForm("t"), "f").batches(file))) == 2
    with pytest.raises(ConfigError, match="cannot read"):
        open_lines(tmp_path / "not there")
