"""Passages and journeys to test with."""

from dataclasses import replace
from typing import Any

import numpy as np

from streamproc.core import NS_PER_MS, NS_PER_S, Outcome, TopicPartition
from streamproc.telemetry import BatchRun, Journey, Passage, Sampler, Told, Tracer

MS = NS_PER_MS
NOW_NS = 1_700_000_000 * NS_PER_S
SOURCE = TopicPartition("ticks", 3)
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def passage(count: int = 1, *, first: int = 0, **changes: Any) -> Passage:
    """Events that took 1 ms from one stage to the next."""
    at = np.full(count, NOW_NS)
    decided = Passage(
        source=SOURCE,
        offset=np.arange(first, first + count),
        row=None,
        key=[b"BTC"] * count,
        headers={},
        event_time_ns=at,
        arrival_ns=at + MS,
        admitted_ns=at + 2 * MS,
        deadline_ns=at + 50 * MS,
        started_ns=NOW_NS + 3 * MS,
        finished_ns=NOW_NS + 4 * MS,
        decided_ns=NOW_NS + 5 * MS,
        final_ns=NOW_NS + 6 * MS,
        outcome=Outcome.ON_TIME,
        reason="",
        topic="decisions",
    )
    return replace(decided, **changes)


def ran(count: int = 1, **changes: Any) -> Passage:
    """The same, with all that is known of those that came through the service."""
    at = np.full(count, NOW_NS)
    way = {
        "timestamp_ns": at + 1,
        "decoded_ns": at + 3 * MS // 2,
        "run": BatchRun(7, count, "deadline", 0, NOW_NS + 3 * MS, (NOW_NS + 3 * MS + 5, NOW_NS + 4 * MS)),
    }  # fmt: skip
    return passage(count, **(way | changes))


def shed(count: int, **changes: Any) -> Passage:
    nothing: dict[str, Any] = dict.fromkeys(("admitted_ns", "started_ns", "finished_ns", "decided_ns", "topic"))  # fmt: skip
    return passage(count, **nothing, outcome=Outcome.SHED, reason="expired", **changes)


def journeys(*passages: Passage, ratio: float = 0.0, always: Any = ()) -> list[Journey]:
    return [
        told
        for told in all_told(*passages, ratio=ratio, always=always)
        if isinstance(told, Journey)
    ]


def all_told(*passages: Passage, ratio: float = 0.0, always: Any = ()) -> list[Told]:
    told: list[Told] = []
    tracer = Tracer(Sampler("p", ratio), always, told.append)
    for some in passages:
        tracer.ended(some)
    tracer.close()
    return told
