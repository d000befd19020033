"""The broker dies, or hangs, in the middle of the work, and comes back: nothing is lost, the pipeline goes on."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.integration.pipelines import (
    TICK,
    InThread,
    assert_adds_up,
    decisions,
    report,
    size_of,
    times_left_out,
    write_config,
)
from tests.support.kafka import KafkaBroker, committed, create_topics, end_offsets, fill

if TYPE_CHECKING:
    from pathlib import Path

RESTARTS = size_of("STREAMPROC_BROKER_RESTARTS", 1)
DOWN_S = size_of("STREAMPROC_BROKER_DOWN_S", 2)
EVENTS = 24_000 * RESTARTS
AFTER = 2_000


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "delivery_timeout"),
    [
        ("kill", "30s"),  # the producer's own retries carry it over
        ("kill", "500ms"),  # it is made anew meanwhile, and what was not acknowledged is sent again
        ("hang", "500ms"),  # the same, but what was on its way arrives after all
        ("stop", "30s"),
    ],
)
def test_the_broker_goes_and_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, delivery_timeout: str
) -> None:
    with KafkaBroker() as broker:
        bootstrap = broker.bootstrap
        create_topics(bootstrap, "events", "decisions")
        fill(bootstrap, "events", TICK.messages(EVENTS))
        config = write_config(
            tmp_path,
            name="steadfast",
            bootstrap=bootstrap,
            topic="events",
            sink="decisions",
            sink_changes={"delivery_timeout": delivery_timeout},
            source={"kafka": {"commit_interval": "100ms", "session_timeout": "6s"}},
            batching={"max_size": 64},  # 9,000 events a second: far from done when the broker goes
            model={"executor": {"simulated": {"fixed": "5ms", "per_event": "20us"}}},
        )
        recovered_s = []
        with InThread(config) as pipeline:
            for number in range(RESTARTS):
                goal = EVENTS * number // RESTARTS + 2_000
                pipeline.until("it works", lambda goal=goal: pipeline.consumed > goal)
                outage(broker, how)
                back, done = time.monotonic(), pipeline.consumed
                pipeline.until(
                    "it works again", lambda done=done: pipeline.consumed > done + 1_000, 90
                )
                recovered_s.append(round(time.monotonic() - back, 1))
            fill(bootstrap, "events", TICK.messages(AFTER))
            ends = end_offsets(bootstrap, "events")
            pipeline.until(
                "all is committed", lambda: committed(bootstrap, "steadfast", "events") == ends, 90
            )
            summary = pipeline.stop()
        assert_adds_up(summary)
        made = decisions(bootstrap, "decisions")
        expected = {f"events/{p}/{o}" for p, end in ends.items() for o in range(end)}
        times = Counter(d.id for _, d in made)
        report(
            "broker restart",
            how=how,
            delivery_timeout=delivery_timeout,
            restarts=RESTARTS,
            down_s=DOWN_S,
            events=len(expected),
            missing=len(expected - times.keys()),
            repeats=len(made) - len(times),
            handed_back=summary["handed_back"],
            recovered_s=recovered_s,
            new_connections=caplog.text.count("connecting anew"),
        )
        assert len(expected) == EVENTS + AFTER
        assert times.keys() == expected
        assert len({times_left_out(d) for _, d in made}) == len(expected)
        if delivery_timeout == "30s" and DOWN_S < 20:
            assert len(made) == len(expected)  # an idempotent producer repeats nothing


def outage(broker: KafkaBroker, how: str) -> None:
    """Take the broker away for a while."""
    if how == "hang":
        os.kill(broker.pid, signal.SIGSTOP)
        time.sleep(DOWN_S)  # not waited for: the length of the outage
        os.kill(broker.pid, signal.SIGCONT)
    else:
        getattr(broker, how)()
        time.sleep(DOWN_S)
        broker.start()
