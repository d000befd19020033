"""The broker dies under load and comes back: nothing is lost, and the pipeline goes on."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.integration.pipelines import (
    InThread,
    Load,
    assert_adds_up,
    decisions,
    report,
    size_of,
    times_left_out,
    write_config,
)
from tests.support.kafka import KafkaBroker, committed, create_topics, end_offsets

if TYPE_CHECKING:
    from pathlib import Path

RESTARTS = size_of("STREAMPROC_BROKER_RESTARTS", 1)
DOWN_S = size_of("STREAMPROC_BROKER_DOWN_S", 2)
RATE = 3_000


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "delivery_timeout"),
    [
        ("kill", "30s"),  # the producer's own retries carry it over
        ("kill", "500ms"),  # it is made anew meanwhile, and what was not acknowledged is sent again
        ("stop", "30s"),
    ],
)
def test_the_broker_goes_and_comes_back(
    tmp_path: Path, how: str, delivery_timeout: str
) -> None:
    with KafkaBroker() as broker:
        bootstrap = broker.bootstrap
        create_topics(bootstrap, "events", "decisions")
        config = write_config(
            tmp_path,
            name="steadfast",
            bootstrap=bootstrap,
            topic="events",
            sink="decisions",
            source={"kafka": {"commit_interval": "100ms", "session_timeout": "6s"}},
            sink_changes={"delivery_timeout": delivery_timeout},
        )
        recovered_s = []
        with Load(bootstrap, "events", rate=RATE) as load, InThread(config) as pipeline:
            for _ in range(RESTARTS):
                done = pipeline.consumed
                pipeline.until("it works", lambda done=done: pipeline.consumed > done + 2_000)
                getattr(broker, how)()
                time.sleep(DOWN_S)  # not waited for: the length of the outage
                broker.start()
                back = time.monotonic()
                done = pipeline.consumed
                pipeline.until(
                    "it works again", lambda done=done: pipeline.consumed > done + 2_000, 60
                )
                recovered_s.append(round(time.monotonic() - back, 1))
            load.stop()
            ends = end_offsets(bootstrap, "events")
            pipeline.until(
                "all is committed", lambda: committed(bootstrap, "steadfast", "events") == ends, 60
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
        )
        assert times.keys() == expected
        assert len({times_left_out(d) for _, d in made}) == len(expected)
