"""A recording made live against a real broker, replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamproc.connectors.capture import CaptureReader
from tests.cli.support import streamproc
from tests.integration.pipelines import Command, Load, assert_adds_up, write_config
from tests.support import wait_until
from tests.support.kafka import committed, create_topics

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

EVENTS = 5_000
RATE = 2_000


def test_every_outcome_of_an_overloaded_run_comes_again(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """5 ms a batch and 1.9 ms an event: at most 500 events/s; 2,000 are offered."""
    source, sink = topic_name, f"{topic_name}-out"
    create_topics(kafka.bootstrap, source, sink, partitions=2)
    config = write_config(
        tmp_path,
        name=topic_name,
        bootstrap=kafka.bootstrap,
        topic=source,
        sink=sink,
        source={"kafka": {"fetch_max_wait": "5ms"}},
        deadline={"budget": "50ms"},
        model={"executor": {"simulated": {"fixed": "5ms", "per_event": "1900us"}}},
        record={"path": str(tmp_path / "recording")},
    )
    command = Command(config, "--stop-when-idle", "1s")
    try:
        wait_until("its start", lambda: len(committed(kafka.bootstrap, topic_name, source)) == 2)
        with Load(kafka.bootstrap, source, rate=RATE, events=EVENTS) as load:
            load.wait(60 + EVENTS / RATE)
        assert command.process.wait(60) == 0, command.log_tail()
    finally:
        command.kill()
    live = command.answer()
    assert_adds_up(live)
    assert live["outcomes"]["shed"], "no overload, no test"

    words = ("replay", str(tmp_path / "recording"), str(config))
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
