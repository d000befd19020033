"""Recording against a real broker: what the topics hold is what the recording holds, inside and beside."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from streamproc.connectors.capture import CaptureReader
from tests.integration.pipelines import TICK, InThread, set_up
from tests.support import Background, wait_until
from tests.support.kafka import Message, Record, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

EVENTS = 2_000


def recorded_records(capture: CaptureReader) -> list[tuple[Any, ...]]:
    return sorted(
        (b.source.partition, o, t // 1_000_000, k, v, tuple(b.headers.get(row, ())))
        for b in capture.records()
        for row, (o, t, k, v) in enumerate(
            zip(b.offset.tolist(), b.timestamp_ns.tolist(), b.key, b.value, strict=True)
        )
    )


def in_topic(records: list[Record]) -> list[tuple[Any, ...]]:
    return sorted(
        (r.partition, r.offset, r.timestamp_ms, r.key, r.value, tuple(r.headers)) for r in records
    )


def test_inside_the_service_and_beside_it(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    source, sink, config = set_up(kafka, topic_name, tmp_path, record={"path": str(folder)})
    traced = [("a", b"1"), ("a", b"2"), ("b", b"")]
    fill(kafka.bootstrap, source, [*TICK.messages(EVENTS), Message(b"{", b"k", headers=traced)])
    out = tmp_path / "beside.mcap"
    beside = Background(
        [
            *(sys.executable, "-m", "streamproc", "record", config, "--out", out),
            *("--from", "earliest", "--json"),
        ],
        log=tmp_path / "record.log",
        stdout=tmp_path / "record.json",
    )
    try:
        summary = InThread(config, stop_after=EVENTS + 1).result(120)
        assert summary["outcomes"]["on_time"] == EVENTS
        produced = read(kafka.bootstrap, source)
        decided = read(kafka.bootstrap, sink, at_least=EVENTS)
        letters = read(kafka.bootstrap, f"{topic_name}.dlq", at_least=1)
        part = out.with_name("beside.mcap.part")
        wait_until(
            "the recorder has all",
            lambda: sum(1 for _ in CaptureReader(part).decisions()) >= EVENTS,
            timeout_s=60,
        )
        os.kill(beside.pid, signal.SIGINT)
        wait_until("it ends", lambda: beside.process.poll() is not None, timeout_s=60)
    finally:
        beside.stop()
    assert beside.process.returncode == 0, (tmp_path / "record.log").read_text()

    for capture in (CaptureReader(folder), CaptureReader(out)):
        assert capture.summary.truncated is None
        assert capture.summary.gaps == ()
        assert recorded_records(capture) == in_topic(produced)
        decisions = [d for d in capture.decisions() if d.topic == sink]
        assert sorted(d.value or b"" for d in decisions) == sorted(r.value or b"" for r in decided)
        for decision in decisions:
            said = json.loads(decision.value or b"")
            assert decision.id == said["id"]
            assert decision.variant == "full"

    inside = CaptureReader(folder)
    assert sum(map(len, inside.outcomes())) == EVENTS + 1
    assert [(d.topic, d.reason) for d in inside.decisions() if d.topic != sink] == [
        (f"{topic_name}.dlq", "undecodable")
    ]
    told = json.loads((tmp_path / "record.json").read_text())
    # Where the dead letters' topic was made after the recorder began, it does not know it.
    assert told["records"] == EVENTS + 1
    assert told["decisions"] in (EVENTS, EVENTS + len(letters))
    assert (told["dropped"], told["files"]) == (0, [str(out)])
