"""Two workers are one pipeline: one group, one set of books, one readiness, one end."""

from __future__ import annotations

import socket
from collections import Counter
from typing import TYPE_CHECKING

from tests.integration.pipelines import TICK, assert_adds_up, decisions
from tests.integration.worker_group import WorkerCommand
from tests.support import PATIENCE_S, wait_until
from tests.support.kafka import committed, end_offsets, fill, members

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

EVENTS = 10_000


def test_two_workers_decide_each_event_once(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name)
    try:
        status, waiting = wait_until("the endpoints", command.readiness)
        assert status == 503
        assert {line.rsplit(" ", 1)[0] for line in waiting} == {"worker 0", "worker 1"}
        command.ready()
        shares = members(kafka.bootstrap, command.group)
        assert set(shares) == {f"{socket.gethostname()}-{n}" for n in (0, 1)}
        assert sorted(map(len, shares.values())) == [2, 2]

        fill(kafka.bootstrap, command.source, TICK.messages(EVENTS))
        wait_until("all are decided", lambda: command.consumed() == EVENTS)
        assert command.metric("streamproc_workers", state="ready") == 2
        assert command.metric("streamproc_worker_restarts_total") == 0
        assert command.metric("streamproc_worker_cpu_seconds_total") > 0
        assert command.metric("streamproc_e2e_latency_seconds_count") == EVENTS

        command.terminate()
        assert command.process.wait(PATIENCE_S) == 0, command.log_tail()
    finally:
        command.kill()
    summary = command.answer()
    assert_adds_up(summary)
    assert summary["consumed"] == EVENTS
    assert summary["workers"] == {"count": 2, "restarts": 0}
    times = Counter(d.id for _, d in decisions(kafka.bootstrap, command.sink, at_least=EVENTS))
    assert len(times) == EVENTS
    assert set(times.values()) == {1}
    ends = end_offsets(kafka.bootstrap, command.source)
    assert committed(kafka.bootstrap, command.group, command.source) == ends
    # They do not come back, and say so: the next ones need not wait until their sessions are over.
    assert members(kafka.bootstrap, command.group) == {}


def test_the_end_by_number_and_a_worker_without_partitions(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    stop = ("--stop-after", "1000")
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name, *stop, partitions=1)
    try:
        command.ready()
        assert sorted(map(len, members(kafka.bootstrap, command.group).values())) == [0, 1]
        fill(kafka.bootstrap, command.source, TICK.messages(1_000))
        assert command.process.wait(60) == 0, command.log_tail()
    finally:
        command.kill()
    assert command.answer()["consumed"] == 1_000
