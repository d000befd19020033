"""Events in, decisions out, on a real broker: what the contract says of a decision, and of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.pipelines import (
    TICK,
    Command,
    InThread,
    assert_adds_up,
    decisions,
    headers,
    right_answers,
    set_up,
    write_config,
)
from tests.support import wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

EVENTS = 10_000
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BUDGET_NS = 600_000_000_000


def test_every_event_gets_its_whole_decision(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, config = set_up(kafka, topic_name, tmp_path)
    fill(kafka.bootstrap, source, TICK.messages(EVENTS))

    summary = InThread(config, stop_after=EVENTS).result()

    assert summary["outcomes"]["on_time"] == summary["consumed"] == EVENTS
    assert summary["handed_back"] == summary["skipped"] == 0
    inputs = {f"{source}/{r.partition}/{r.offset}": r for r in read(kafka.bootstrap, source)}
    made = decisions(kafka.bootstrap, sink, at_least=EVENTS)
    assert len(made) == EVENTS
    assert {d.id for _, d in made} == inputs.keys()
    answers = right_answers(tmp_path / "tick.onnx")
    for record, got in made:
        event = inputs[got.id]
        assert (record.partition, record.key) == (event.partition, event.key)
        assert record.headers == (("streamproc-outcome", b"on_time"),)
        assert (got.outcome, got.schema_version, got.pipeline) == ("on_time", 1, topic_name)
        assert got.model["variant"] == "full"
        assert got.model["digest"].startswith("sha256:")
        assert event.key is not None
        assert got.key == event.key.decode()
        assert got.event_time_ns == event.timestamp_ms * 1_000_000
        assert got.deadline_ns == got.event_time_ns + BUDGET_NS
        assert got.event_time_ns < got.decided_ns < got.deadline_ns
        assert got.output["label"] == TICK.labels[answers[int(event.key)]]
        assert sum(got.output["scores"]) == pytest.approx(1.0, abs=1e-5)
    assert_order(made)
    assert committed(kafka.bootstrap, topic_name, source) == end_offsets(kafka.bootstrap, source)


def assert_order(made: list) -> None:
    """Decisions of a partition stand in the order of their events, which implies that of each key."""
    last: dict[int, int] = {}
    for record, got in made:
        offset = int(got.id.rpartition("/")[2])
        assert offset > last.get(record.partition, -1)
        last[record.partition] = offset


def test_headers_of_traced_events_and_records_without_keys(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink = topic_name, f"{topic_name}-out"
    create_topics(kafka.bootstrap, source, partitions=2)
    create_topics(kafka.bootstrap, sink, partitions=3)  # another number: the key decides
    [value] = [m.value for m in TICK.messages(1)]
    traced = (("traceparent", TRACEPARENT), ("tracestate", b"a=b"), ("mine", b"1"))
    sent = [
        Message(value, b"k", traced, 0),
        Message(value, b"k", (("traceparent", b"\xff\xfe"),), 0),
        Message(value, b"k", (("traceparent", None),), 0),
        Message(value, b"k", (), 0),
        Message(value, None, (), 0),
        Message(value, b"\xff\x00", (), 1),
    ]
    fill(kafka.bootstrap, source, sent)
    config = write_config(
        tmp_path, name=topic_name, bootstrap=kafka.bootstrap, topic=source, sink=sink
    )

    summary = InThread(config, stop_after=len(sent)).result()

    assert summary["outcomes"]["on_time"] == len(sent)
    by_id = {d.id: (r, d) for r, d in decisions(kafka.bootstrap, sink, at_least=len(sent))}
    of = lambda number: by_id[f"{source}/0/{number}"]  # noqa: E731
    outcome = ("streamproc-outcome", b"on_time")
    assert set(of(0)[0].headers) == {*traced[:2], outcome}
    assert headers(of(1)[0])["traceparent"] == b"\xff\xfe"
    assert headers(of(2)[0])["traceparent"] is None
    assert of(3)[0].headers == (outcome,)
    assert len({of(n)[0].partition for n in range(4)}) == 1
    assert (of(4)[0].key, of(4)[1].key, of(4)[0].partition) == (None, None, 0)
    assert (by_id[f"{source}/1/0"][0].key, by_id[f"{source}/1/0"][1].key) == (
        b"\xff\x00",
        "base64:/wA=",
    )


def test_the_command_runs_until_idle(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> None:
    source, _, config = set_up(kafka, topic_name, tmp_path)
    fill(kafka.bootstrap, source, TICK.messages(1_000))
    command = Command(config, "--stop-when-idle", "500ms")
    try:
        assert command.process.wait(30) == 0, command.log_tail()
    finally:
        command.kill()
    summary = command.answer()
    assert_adds_up(summary)
    assert summary["outcomes"]["on_time"] == 1_000
    assert committed(kafka.bootstrap, topic_name, source) == end_offsets(kafka.bootstrap, source)


def test_sigterm_finishes_what_was_taken_in(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    simulated = {"executor": {"simulated": {"fixed": "5ms", "per_event": "20us"}}}
    source, sink, config = set_up(kafka, topic_name, tmp_path, model=simulated)
    events = 60_000
    fill(kafka.bootstrap, source, TICK.messages(events))
    command = Command(config)
    try:
        wait_until("the first decisions", lambda: sum(end_offsets(kafka.bootstrap, sink).values()))
        command.terminate()
        assert command.process.wait(15) == 0, command.log_tail()
    finally:
        command.kill()
    summary = command.answer()
    assert_adds_up(summary)
    assert 0 < summary["consumed"] < events
    assert summary["handed_back"] == 0
    made = decisions(kafka.bootstrap, sink)
    assert len(made) == len({d.id for _, d in made}) == summary["consumed"]
    stored = committed(kafka.bootstrap, topic_name, source)
    assert sum(stored.values()) == summary["consumed"]
