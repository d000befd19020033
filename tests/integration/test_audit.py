"""The auditor on a real broker: it agrees with a run, and finds what somebody else did to its topics."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from streamproc.cli import main
from streamproc.core import ConfigError
from streamproc.testing import audit_topics
from tests.integration.pipelines import TICK, InThread, set_up
from tests.support.kafka import Message, create_topics, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from streamproc.testing import AuditReport
    from tests.support.kafka import KafkaBroker

EVENTS = 2_000
BROKEN = 10


def test_an_audit_agrees_with_a_run_and_finds_what_is_wrong(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    shed = f"{topic_name}-shed"
    create_topics(kafka.bootstrap, shed)
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        outcomes={"shed_topic": shed, "ledger_topic": f"{topic_name}-ledger"},
        source={"kafka": {}},
    )

    def audit() -> AuditReport:
        return asyncio.run(
            audit_topics(
                kafka.bootstrap,
                inputs=[source],
                decisions=sink,
                dead_letters=f"{topic_name}.dlq",
                shed=shed,
                ledger=f"{topic_name}-ledger",
                group_id=topic_name,
            )
        )

    fill(kafka.bootstrap, source, TICK.messages(EVENTS))
    fill(kafka.bootstrap, source, [Message(b"{", partition=n % 4) for n in range(BROKEN)])
    summary = InThread(config, stop_after=EVENTS + BROKEN).result()

    report = audit()
    report.require_complete()
    assert report.outcomes.outcomes == {word: n for word, n in summary["outcomes"].items() if n} | {
        "on_time": EVENTS
    }
    assert report.duplicates == 0
    assert report.read[source] == report.outcomes.inputs == EVENTS + BROKEN

    fill(kafka.bootstrap, source, TICK.messages(3))
    stranger = read(kafka.bootstrap, sink)[0]
    assert stranger.value is not None
    changed = stranger.value.replace(b'"event_time_ns":1', b'"event_time_ns":2')
    fill(kafka.bootstrap, sink, [Message(changed, partition=stranger.partition)])

    report = audit()
    with pytest.raises(AssertionError, match="1 inputs had repeats that say something else"):
        report.require_sound()
    assert "3 inputs have no outcome" in str(report.problems())
    assert "3 inputs are not covered by the committed offsets" in str(report.problems())


def test_the_command_says_what_does_not_hold(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _, config = set_up(kafka, topic_name, tmp_path)
    fill(kafka.bootstrap, source, TICK.messages(100))
    InThread(config, stop_after=100).result()
    assert main(["audit", str(config), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["inputs"], answer["outcomes"], answer["problems"]) == (100, {"on_time": 100}, [])

    fill(kafka.bootstrap, source, TICK.messages(1))
    assert main(["audit", str(config)]) == 1
    said = capsys.readouterr()
    assert "1 inputs have no outcome" in " ".join(said.out.split())
    assert "shed, filtered or absorbed leave nothing behind" in " ".join(said.err.split())
    assert main(["audit", str(config), "--running"]) == 0
    assert "what is promised holds" in capsys.readouterr().out


def test_a_topic_that_is_not_there_is_named(kafka: KafkaBroker, topic_name: str) -> None:
    with pytest.raises(ConfigError, match=f"topic {topic_name} does not exist"):
        asyncio.run(audit_topics(kafka.bootstrap, inputs=[topic_name], decisions=topic_name))
