"""A model that carries state, on a real broker: killed, taken over, recorded and replayed, it decides what onnxruntime gives offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from streamproc.connectors.capture import CaptureReader
from tests.cli.support import streamproc
from tests.integration.pipelines import Command, InThread
from tests.support import wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read
from tests.support.voices import TEMPLATE, calls, offline

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

CALLS, FRAMES = 6, 300


def test_what_is_decided_of_interleaved_calls_is_what_onnxruntime_gives_offline(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    sink, recording = f"{topic_name}-out", tmp_path / "recording"
    create_topics(kafka.bootstrap, topic_name, sink, f"{topic_name}.dlq", partitions=2)
    frames = calls(CALLS, FRAMES)
    begin_ms = 1_700_000_000_000
    messages = [
        Message(frames[call][place], b"%d" % call, timestamp_ms=begin_ms + 32 * place)
        for place in range(FRAMES)
        for call in range(CALLS)
    ]
    fill(kafka.bootstrap, topic_name, messages[: len(messages) // 2])
    config = write_config(tmp_path, kafka, topic_name, sink)

    def done() -> int:
        return sum(committed(kafka.bootstrap, topic_name, topic_name).values())

    first = Command(config)
    try:
        wait_until("the first is at work", lambda: done() > len(messages) // 8, timeout_s=120)
    finally:
        first.kill()
    config = write_config(tmp_path, kafka, topic_name, sink, record={"path": str(recording)})
    with InThread(config) as second:
        second.until("it took over", lambda: second.consumed > 0, timeout_s=120)
        fill(kafka.bootstrap, topic_name, messages[len(messages) // 2 :])
        ends = end_offsets(kafka.bootstrap, topic_name)
        second.until(
            "the end", lambda: committed(kafka.bootstrap, topic_name, topic_name) == ends, 120
        )
        summary = second.stop()
    assert summary["restored"] > 0, summary

    wanted = offline(frames)
    places = places_of(kafka, topic_name)
    live = [msgspec.json.decode(record.value or b"") for record in read(kafka.bootstrap, sink)]
    assert {decision["id"] for decision in live} == places.keys()
    differing(live, places, wanted)

    words = ("replay", str(recording), str(config), "--json")
    again = streamproc(*words, "--clock", "recorded", "--out", "again.mcap", cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.json["replay"]["reproduced"]["same"] == summary["consumed"]
    sent = [
        [(d.id, d.outcome, d.value) for d in CaptureReader(path).decisions()]
        for path in (recording, tmp_path / "again.mcap")
    ]
    assert sent[0] == sent[1], "all decisions, byte by byte and in their order"

    virtual = streamproc(*words, "--out", "virtual.mcap", cwd=tmp_path)
    assert virtual.code == 0, virtual.err
    made = [
        msgspec.json.decode(d.value) for d in CaptureReader(tmp_path / "virtual.mcap").decisions()
    ]
    assert len(made) >= summary["consumed"]
    differing(made, places, wanted)


def write_config(folder: Path, kafka: KafkaBroker, name: str, sink: str, **more: Any) -> Path:
    """The audio template's pipeline between these topics, with all the time that it needs."""
    text = msgspec.yaml.decode((TEMPLATE / "pipeline.yaml").read_bytes())
    text["model"]["path"] = str(TEMPLATE / "models" / "silero_vad.onnx")
    text |= {
        "name": name,
        "source": {
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "topics": [name],
                "auto_offset_reset": "earliest",
                "commit_interval": "50ms",
                "session_timeout": "6s",
            }
        },
        "deadline": {"budget": "10m", "from": "arrival"},
        "batching": {"max_size": 4},
        "sink": {"kafka": {"topic": sink}},
        "outcomes": {"dead_letter_topic": f"{name}.dlq"},
        "telemetry": {"metrics": {"listen": None}},
        **more,
    }
    path = folder / "pipeline.yaml"
    path.write_bytes(msgspec.yaml.encode(text))
    (folder / "voice.py").write_bytes((TEMPLATE / "voice.py").read_bytes())
    return path


def places_of(kafka: KafkaBroker, topic: str) -> dict[str, tuple[int, int]]:
    """By a decision's id, its call and the frame's place in it."""
    found: dict[str, tuple[int, int]] = {}
    seen = [0] * CALLS
    for record in read(kafka.bootstrap, topic):
        call = int(record.key or b"")
        found[f"{topic}/{record.partition}/{record.offset}"] = (call, seen[call])
        seen[call] += 1
    return found


def differing(
    decisions: Iterable[dict[str, Any]], places: dict[str, tuple[int, int]], wanted: Any
) -> None:
    """See that each decision is what was computed offline, to the last bit."""
    wrong = {
        decision["id"]: places[decision["id"]]
        for decision in decisions
        if np.float32(decision["output"]["probability"]) != wanted[places[decision["id"]]]
    }
    assert not wrong
