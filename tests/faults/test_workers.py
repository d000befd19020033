"""Workers die, hang, or lose their parent: nothing is lost, and what is repeated says the same."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.integration.pipelines import (
    TICK,
    Load,
    assert_adds_up,
    decisions,
    report,
    times_left_out,
)
from tests.integration.worker_group import WorkerCommand
from tests.support import PATIENCE_S, wait_until
from tests.support.kafka import committed, end_offsets, fill, members

if TYPE_CHECKING:
    from tests.integration.pipelines import Output
    from tests.support.kafka import KafkaBroker, Record

SOON = {"kafka": {"commit_interval": "100ms"}}
MS = 1_000_000


def assert_all_decided_alike(bootstrap: str, command: WorkerCommand) -> list[tuple[Record, Output]]:
    """Each input is decided, and repeats say the same; gives the decisions."""
    ends = end_offsets(bootstrap, command.source)
    wanted = {f"{command.source}/{p}/{o}" for p, end in ends.items() for o in range(end)}
    found = decisions(bootstrap, command.sink, at_least=len(wanted))
    assert {d.id for _, d in found} == wanted
    assert len({times_left_out(d) for _, d in found}) == len(wanted)
    assert committed(bootstrap, command.group, command.source) == ends
    return found


def gaps_ms(found: list[tuple[Record, Output]]) -> dict[int, float]:
    """The longest time without a decision, by partition."""
    times: dict[int, list[int]] = {}
    for record, output in found:
        times.setdefault(record.partition, []).append(output.decided_ns)
    return {p: float(np.diff(np.sort(ns)).max()) / MS for p, ns in sorted(times.items())}


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_keeps_its_partitions(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name, source=SOON)
    try:
        command.ready()
        shares = members(kafka.bootstrap, command.group)
        with Load(kafka.bootstrap, command.source, rate=2_000) as load:
            wait_until("it works", lambda: command.consumed() > 1_000)
            killed, other = command.worker_pids()
            os.kill(killed, signal.SIGKILL)
            wait_until("it is missed", lambda: command.readiness()[0] == 503)
            command.ready()
            goal = command.consumed() + 2_000
            wait_until("it goes on", lambda: command.consumed() > goal)
            load.stop()
        again = members(kafka.bootstrap, command.group)
        assert other in command.worker_pids()
        assert killed not in command.worker_pids()
        assert command.metric("streamproc_worker_restarts_total") == 1
        ends = end_offsets(kafka.bootstrap, command.source)
        wait_until(
            "all is committed",
            lambda: committed(kafka.bootstrap, command.group, command.source) == ends,
        )
        command.terminate()
        assert command.process.wait(PATIENCE_S) == 0, command.log_tail()
    finally:
        command.kill()
    found = assert_all_decided_alike(kafka.bootstrap, command)
    summary = command.answer()
    assert_adds_up(summary)
    assert summary["workers"] == {"count": 2, "restarts": 1}
    # A static member that comes back within the session gets what it had; nobody is disturbed.
    assert again == shares
    gaps = gaps_ms(found)
    repeats = len(found) - len({d.id for _, d in found})
    report("worker killed", events=sum(ends.values()), repeats=repeats, longest_gap_ms=gaps)


@pytest.mark.slow
def test_a_worker_that_hangs_for_a_session_is_killed_and_started_again(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    session = {"kafka": {"session_timeout": "6s"}}  # the broker's usual least
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name, source=session)
    try:
        command.ready()
        hanging = command.worker_pids()[0]
        os.kill(hanging, signal.SIGSTOP)
        fill(kafka.bootstrap, command.source, TICK.messages(1_000))
        wait_until("it is killed", lambda: hanging not in command.worker_pids())
        command.ready()
        wait_until("all are decided", lambda: command.consumed() >= 1_000)
        command.terminate()
        assert command.process.wait(PATIENCE_S) == 0, command.log_tail()
    finally:
        command.kill()
    assert f"(pid {hanging}) hangs: it is killed" in command.log_tail()
    assert_all_decided_alike(kafka.bootstrap, command)


def test_workers_end_in_order_when_their_parent_is_killed(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name)
    try:
        command.ready()
        fill(kafka.bootstrap, command.source, TICK.messages(2_000))
        wait_until("it works", lambda: command.consumed() > 0)
        pids = command.worker_pids()
        os.kill(command.pid, signal.SIGKILL)
        command.process.wait()
        wait_until("the workers end", lambda: not any(map(is_alive, pids)))
        assert members(kafka.bootstrap, command.group) == {}  # the next ones need not wait
        # What was taken in was finished and committed: each event is decided once, or still to come.
        stored = committed(kafka.bootstrap, command.group, command.source)
        times = Counter(d.id for _, d in decisions(kafka.bootstrap, command.sink))
        assert sum(stored.values()) == len(times) == times.total()
    finally:
        command.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_is_one_end(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, number: signal.Signals
) -> None:
    """As systemd and a terminal send it."""
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name)
    try:
        command.ready()
        fill(kafka.bootstrap, command.source, TICK.messages(2_000))
        wait_until("it works", lambda: command.consumed() > 0)
        os.killpg(command.pid, number)
        assert command.process.wait(PATIENCE_S) == 0, command.log_tail()
    finally:
        command.kill()
    summary = command.answer()
    assert_adds_up(summary)
    assert summary["handed_back"] == 0
    assert summary["workers"]["restarts"] == 0
    assert "Traceback" not in command.log_tail()
    stored = committed(kafka.bootstrap, command.group, command.source)
    assert sum(stored.values()) == summary["consumed"]


def is_alive(pid: int) -> bool:
    """Whether it is more than an entry that nobody has collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
