"""The end that is asked for comes soon, whatever becomes of what was taken in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.pipelines import TICK, InThread, assert_adds_up, set_up
from tests.support.kafka import Message, committed, fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

SLOW = {"executor": {"simulated": {"fixed": "20ms", "per_event": "100us"}}}


@pytest.mark.parametrize(
    ("outcome", "broken", "changes"),
    [
        pytest.param(
            "late", False, {"late": "drop", "deadline": {"budget": "1ms"}, "shed": []}, id="late"
        ),
        pytest.param("dead_letter", True, {"outcomes": {"dead_letter_topic": None}}, id="dead"),
    ],
)
def test_the_drain_does_not_wait_for_what_is_not_sent(
    kafka: KafkaBroker,
    topic_name: str,
    tmp_path: Path,
    outcome: str,
    broken: bool,
    changes: dict[str, Any],
) -> None:
    """What is dropped is never acknowledged by the broker: its outcome alone must end the wait."""
    source, _, config = set_up(kafka, topic_name, tmp_path, partitions=1, model=SLOW, **changes)
    messages = [m._replace(value=b"{") if broken else m for m in TICK.messages(20_000)]
    fill(kafka.bootstrap, source, messages)
    with InThread(config) as pipeline:
        pipeline.until("it works", lambda: pipeline.consumed > 500)
        asked = time.monotonic()
        summary = pipeline.stop(40)
        took_s = time.monotonic() - asked
    assert took_s < 10
    assert_adds_up(summary)
    assert summary["outcomes"][outcome] == summary["consumed"]
    assert summary["handed_back"] == 0
    assert committed(kafka.bootstrap, topic_name, source) == {0: summary["consumed"]}


def test_one_event_after_the_other_is_decided_at_once(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """Nothing waits for company: no event is held back until the next comes."""
    source, _, config = set_up(kafka, topic_name, tmp_path, partitions=1)
    [value] = [m.value for m in TICK.messages(1)]
    with InThread(config) as pipeline:
        pipeline.ready()
        for number in range(1, 6):
            fill(kafka.bootstrap, source, [Message(value, b"k")])
            pipeline.until("its decision", lambda n=number: pipeline.consumed == n, 5)
        summary = pipeline.stop(10)
    assert summary["outcomes"]["on_time"] == 5
