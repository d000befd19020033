"""A recording made live against a real broker, replayed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from streamproc.cli import main
from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.core import RecordBatch, TopicPartition
from tests.benchmarks.workloads import FIRST_TS, KEYS
from tests.cli.support import streamproc
from tests.integration.pipelines import (
    TICK,
    InThread,
    assert_adds_up,
    run_under_load,
    set_up,
    write_config,
)
from tests.support.kafka import create_topics, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.kafka import KafkaBroker

EVENTS = 5_000
RATE = 2_000
START_MS = 1_700_000_000_000


def test_every_outcome_of_an_overloaded_run_comes_again(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """5 ms a batch and 1.9 ms an event: at most 500 events/s; 2,000 are offered."""
    setup = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        source={"kafka": {"fetch_max_wait": "5ms"}},
        deadline={"budget": "50ms"},
        model={"executor": {"simulated": {"fixed": "5ms", "per_event": "1900us"}}},
        record={"path": str(tmp_path / "recording")},
    )
    live = run_under_load(kafka, setup.config, topic_name, rate=RATE, events=EVENTS)
    assert_adds_up(live)
    assert live["outcomes"]["shed"], "no overload, no test"

    words = ("replay", str(tmp_path / "recording"), str(setup.config))
    again = streamproc(*words, "--clock", "recorded", "--out", "again.mcap", "--json", cwd=tmp_path)

    assert again.code == 0, again.err
    assert again.json["replay"]["reproduced"] == {
        "same": EVENTS, "changed": 0, "missing": 0, "extra": 0,
    }  # fmt: skip
    assert again.json["outcomes"] == live["outcomes"]
    assert again.json["reasons"] == live["reasons"]
    sent = [
        [(d.topic, d.id, d.outcome, d.key, d.value) for d in CaptureReader(path).decisions()]
        for path in (tmp_path / "recording", tmp_path / "again.mcap")
    ]
    assert sent[0] == sent[1], "all decisions, byte by byte and in their order"

    virtual = streamproc(*words, "--json", cwd=tmp_path)
    assert virtual.code == 0, virtual.err
    assert_adds_up(virtual.json)
    assert virtual.json["consumed"] == EVENTS
    assert virtual.json["replay"]["send"] == "recorded"


def test_a_live_recording_replayed_is_the_same_and_another_model_changes_what_it_must(
    kafka: KafkaBroker,
    topic_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup = set_up(
        kafka, topic_name, tmp_path, partitions=2, record={"path": str(tmp_path / "live")}
    )
    fill(kafka.bootstrap, topic_name, TICK.messages(EVENTS))
    live = InThread(setup.config, stop_after=EVENTS).result(120)
    assert live["outcomes"]["on_time"] == EVENTS

    model, other = tmp_path / "tick.onnx", tmp_path / "other.onnx"
    without_a_unit(model, other)
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> tuple[int, Any]:
        code = main([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    for out, *changes in (("same.mcap",), ("other.mcap", "--set", f"model.path={other}")):
        words = ("replay", "live", str(setup.config), "--out", out, *changes)
        assert command(*words, "--clock", "virtual")[0] == 0

    code, same = command("diff", "live", "same.mcap")
    assert (code, same["compared"]) == (0, EVENTS), same["bounds"]

    code, different = command("diff", "live", "other.mcap", "--changes", "changes.jsonl")
    assert (code, different["compared"]) == (1, EVENTS), different["bounds"]
    lines = (tmp_path / "changes.jsonl").read_text().splitlines()
    listed = {change["id"] for change in map(json.loads, lines) if change["kind"] == "changed"}
    x = np.array(TICK.vectors, np.float32)
    differs = (scores(model, x) != scores(other, x)).any(axis=1)
    must = {
        f"{topic_name}/{record.partition}/{record.offset}"
        for record in read(kafka.bootstrap, topic_name)
        if differs[(json.loads(record.value or b"")["ts"] - FIRST_TS) % KEYS]
    }
    assert 0 < len(must) < EVENTS
    assert listed == must


def scores(model: Path, x: Any) -> Any:
    """A model's outputs, [n, labels], apart from all of ours."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def without_a_unit(path: Path, other: Path) -> None:
    """The model without one unit of its hidden layer, which some of the events wake and others do not."""
    made = onnx.load(path)
    first, bias, last = (numpy_helper.to_array(made.graph.initializer[n]) for n in range(3))
    active = (np.array(TICK.vectors, np.float32) @ first + bias > 0).sum(axis=0)
    unit = int(np.argmin(np.abs(active - KEYS // 2)))
    silenced = last.copy()
    silenced[unit] = 0.0
    weights = made.graph.initializer[2]
    weights.CopyFrom(numpy_helper.from_array(silenced, weights.name))
    onnx.save(made, other)


def test_a_recording_is_sent_to_another_cluster_and_not_by_mistake_to_its_own(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """Keys, values, headers and timestamps as they were; the partition too."""
    create_topics(kafka.bootstrap, topic_name, partitions=2)
    elsewhere = (
        f"localhost:{kafka.bootstrap.rpartition(':')[2]}"  # another name of the same cluster
    )
    batches = [recorded(topic_name, number) for number in range(40)]
    for name, origin in (("other", "localhost:1"), ("own", elsewhere)):
        told = CaptureMetadata(source=origin)
        with CaptureWriter(tmp_path / f"{name}.mcap", told, durable=False) as writer:
            for batch in batches:
                writer.records(batch)
    config = write_config(
        tmp_path, name=topic_name, bootstrap=kafka.bootstrap, topic=topic_name, sink="decisions",
        model={"executor": {"simulated": {}}},
    )  # fmt: skip
    words = ("--produce", kafka.bootstrap, "--speed", "2", "--json")

    refused = streamproc("replay", "own.mcap", str(config), *words, cwd=tmp_path)
    assert refused.code == 2
    assert "is the cluster that the recording came from" in refused.err + refused.out
    assert not read(kafka.bootstrap, topic_name)

    sent = streamproc("replay", "other.mcap", str(config), *words, cwd=tmp_path)
    assert sent.code == 0, sent.err
    assert "does not answer: taken for another" in sent.err
    assert sent.json["produced"] == 80
    assert sent.json["failed"] == 0
    assert sent.json["replay"]["schedule_lag_ms"]

    found = [
        (r.partition, r.timestamp_ms, r.key, r.value, tuple(r.headers))
        for r in read(kafka.bootstrap, topic_name)
    ]
    expected = [
        (b.source.partition, int(b.timestamp_ns[row]) // 1_000_000, b.key[row], b.value[row],
         tuple(b.headers.get(row, ())))
        for b in batches for row in range(2)
    ]  # fmt: skip
    assert sorted(found, key=repr) == sorted(expected, key=repr)

    anyway = ("--yes-into-the-same-cluster", "--timestamps", "shifted")
    again = streamproc("replay", "own.mcap", str(config), *words, *anyway, cwd=tmp_path)
    assert again.code == 0, again.err
    moved = [r.timestamp_ms for r in read(kafka.bootstrap, topic_name)]
    assert max(moved) - START_MS > 100_000_000, "shifted, they are of today"


def recorded(topic: str, number: int) -> RecordBatch:
    """Two records of alternating partitions, a batch each 5 ms; the second has no key, the first a header twice."""
    at_ns = (START_MS + 5 * number) * 1_000_000
    return RecordBatch(
        source=TopicPartition(topic, number % 2),
        offset=np.array([number, number + 1]) + 2 * (number // 2),
        timestamp_ns=np.array([at_ns - 3_000_000, at_ns - 2_000_000]),
        key=[b"key-%d" % number, None],
        value=[b"a%d" % number, b"b%d" % number],
        headers={0: [("h", b"1"), ("h", None)]},
        arrival_ns=at_ns,
        end_position=10_000,
    )
