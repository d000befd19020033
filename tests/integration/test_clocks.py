"""Producers' clocks and backlogs on a real broker: what waited is expired, and a slow clock is said, not guessed."""

from __future__ import annotations

import re
import time
import urllib.request
from typing import TYPE_CHECKING

from tests.integration.pipelines import (
    TICK,
    Command,
    InThread,
    assert_adds_up,
    decisions,
    letter_ids,
    set_up,
    write_config,
)
from tests.support import free_port, wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

BUDGET_S = 5
"""Long beside what a busy machine takes, short beside the backlog's age."""


def ticks(count: int, *, age_s: float) -> list[Message]:
    """Events that say they happened so long ago."""
    at_ms = int((time.time() - age_s) * 1_000)
    return [message._replace(timestamp_ms=at_ms) for message in TICK.messages(count)]


def test_a_restart_onto_a_backlog_of_a_minute_sheds_it_as_expired(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, shed = topic_name, f"{topic_name}-out", f"{topic_name}-shed"
    create_topics(kafka.bootstrap, source, sink, shed, partitions=1)
    config = write_config(
        tmp_path,
        name=topic_name,
        bootstrap=kafka.bootstrap,
        topic=source,
        sink=sink,
        deadline={"budget": f"{BUDGET_S}s"},
        outcomes={"shed_topic": shed},
    )
    before, waited, fresh = 300, 3_000, 300
    fill(kafka.bootstrap, source, ticks(before, age_s=0))
    assert InThread(config, stop_after=before).result()["outcomes"]["on_time"] == before
    assert committed(kafka.bootstrap, topic_name, source) == {0: before}
    fill(kafka.bootstrap, source, ticks(waited, age_s=60))  # while nobody reads

    with InThread(config) as pipeline:
        pipeline.until("the backlog is done", lambda: pipeline.consumed == waited)
        fill(kafka.bootstrap, source, ticks(fresh, age_s=0))
        pipeline.until("the fresh ones too", lambda: pipeline.consumed == waited + fresh)
        assert pipeline.service is not None
        skews_s = pipeline.service.gauges().event_time_skew_seconds
        summary = pipeline.stop()

    assert_adds_up(summary)
    made = [d for _, d in decisions(kafka.bootstrap, sink) if int(d.id.split("/")[2]) >= before]
    late = [
        d for d in made if d.outcome == "late"
    ]  # what the scheduler tries when nothing seems to fit
    assert len(late) <= 3
    given_up = letter_ids(read(kafka.bootstrap, shed))
    assert len(given_up) == waited - len(late)
    assert summary["reasons"] == {"expired": len(given_up)}
    assert summary["outcomes"]["on_time"] == fresh
    assert {int(d.id.split("/")[2]) for d in made if d not in late} == set(
        range(before + waited, before + waited + fresh)
    )
    # Nothing was learned of the backlog: no clock is a minute slow.
    assert all(abs(skew_s) < BUDGET_S for skew_s in skews_s.values())
    assert committed(kafka.bootstrap, topic_name, source) == end_offsets(kafka.bootstrap, source)


def test_a_producer_a_second_behind_is_reported(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    port = free_port()
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=1,
        deadline={"budget": "3s"},
        telemetry={"metrics": {"listen": f"127.0.0.1:{port}"}},
    )
    command = Command(config)

    def skew_s() -> float | None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
        found = re.search(
            r"^streamproc_event_time_skew_seconds\{.*source=\"([^\"]+)\".*\} (\S+)$",
            page,
            re.MULTILINE,
        )
        if found is None:
            return None
        assert found[1] == f"{source}/0"
        return float(found[2])

    try:
        wait_until("its start", lambda: committed(kafka.bootstrap, topic_name, source))
        sent = 0

        def known() -> float | None:
            """Send some more, one poll after the other, until the clock is known."""
            nonlocal sent
            sent += fill(kafka.bootstrap, source, ticks(50, age_s=1))
            wait_until(
                "decisions", lambda: sum(end_offsets(kafka.bootstrap, sink).values()) >= sent
            )
            return skew_s()

        behind_s = wait_until("the skew", known)
        wait_until(
            "the warning", lambda: "the clock of their producer is behind" in command.log_tail()
        )
        command.terminate()
        assert command.process.wait(20) == 0, command.log_tail()
    finally:
        command.kill()
    assert behind_s is not None
    assert 0.9 <= behind_s <= 2
    summary = command.answer()
    assert summary["outcomes"]["on_time"] == sent  # it is only said: no deadline was moved
    assert all(
        d.deadline_ns == d.event_time_ns + 3 * 10**9 for _, d in decisions(kafka.bootstrap, sink)
    )
    (line,) = [text for text in command.log_tail().splitlines() if " WARNING " in text]
    assert f"{source}/0" in line
    assert "deadline.skew: {slow: correct}" in line
