"""SIGKILL again and again: every event has an outcome, and what is repeated says the same."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.integration.pipelines import (
    Command,
    Load,
    decision,
    ids,
    letter_ids,
    report,
    size_of,
    times_left_out,
    write_config,
)
from tests.support import wait_until
from tests.support.kafka import KafkaBroker, committed, create_topics, end_offsets, read

if TYPE_CHECKING:
    from pathlib import Path

KILLS = size_of("STREAMPROC_KILLS", 3)
EVENTS = size_of("STREAMPROC_KILL_EVENTS", 30_000)
RATE = 4_000
SEED = size_of("STREAMPROC_SEED", 1)


@pytest.mark.kafka
@pytest.mark.slow
def test_every_event_has_an_outcome_however_often_it_is_killed(tmp_path: Path) -> None:
    # A killed member is in the group until its session is over; the broker's usual least is 6 s.
    with KafkaBroker({"group.min.session.timeout.ms": "1000"}) as broker:
        bootstrap = broker.bootstrap
        create_topics(bootstrap, "events", "decisions", "shed")
        config = write_config(
            tmp_path,
            name="killed",
            bootstrap=bootstrap,
            topic="events",
            sink="decisions",
            source={"kafka": {"session_timeout": "1500ms", "auto_offset_reset": "latest"}},
            outcomes={"shed_topic": "shed"},
        )
        started = time.monotonic()
        lives = _kill_and_start_again(config, bootstrap)
        took_s = time.monotonic() - started

        inputs = set(ids(bootstrap, "events"))
        assert len(inputs) == EVENTS
        decided = [decision(r) for r in read(bootstrap, "decisions", timeout_s=120)]
        letters = [*read(bootstrap, "shed"), *read(bootstrap, "killed.dlq")]
        found = Counter(d.id for d in decided)
        accounted = found.keys() | set(letter_ids(letters))
        report(
            "kill",
            kills=KILLS,
            events=EVENTS,
            took_s=round(took_s, 1),
            decided=len(found),
            letters=len(letters),
            missing=len(inputs - accounted),
            repeats=len(decided) - len(found),
            committed_at_each_kill=lives,
        )
        assert accounted == inputs
        assert len(found) >= 0.99 * EVENTS
        assert len({times_left_out(d) for d in decided}) == len(found)
        assert committed(bootstrap, "killed", "events") == end_offsets(bootstrap, "events")


def _kill_and_start_again(config: Path, bootstrap: str) -> list[int]:
    """Run the command over a live stream and kill it; gives how much was committed at each kill."""
    rng = np.random.default_rng(SEED)
    lives: list[int] = []

    def done() -> int:
        return sum(committed(bootstrap, "killed", "events").values())

    command = Command(config)
    wait_until("the start is settled", lambda: len(committed(bootstrap, "killed", "events")) == 4)
    with Load(bootstrap, "events", rate=RATE, events=EVENTS) as load:
        try:
            for kill in range(KILLS):
                if kill % 2:  # in full swing, somewhere between two commits
                    goal = EVENTS * kill // (KILLS + 1)
                    wait_until("progress", lambda goal=goal: done() > goal, timeout_s=60)
                    moment_s = rng.uniform(0.0, 1.0)
                else:  # within a second or two of its start: not yet a member, or just one
                    moment_s = rng.uniform(0.3, 2.5) if kill else 0.7
                time.sleep(moment_s)  # not waited for: the moment of the fault
                command.kill()
                lives.append(done())
                last = kill + 1 == KILLS
                command = Command(config, *(("--stop-when-idle", "3s") if last else ()))
            load.wait()
            assert command.process.wait(120) == 0, command.log_tail()
        finally:
            command.kill()
    return lives
