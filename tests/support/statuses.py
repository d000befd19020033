"""A pipeline's status as its endpoints show it, without a pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamproc.core import ModelInfo, Outcome, Reason, TopicPartition, VirtualClock
from streamproc.runtime.status import State, Status
from streamproc.telemetry import STAGES, Accounts, Gauges, Summary

MS = 1_000_000
BUDGET_NS = 50 * MS


BURNING = {
    "name": "on-time",
    "objective": 0.99,
    "period": "30d",
    "in_session": True,
    "events": 1000,
    "bad": 200,
    "good_percent": 80.0,
    "budget_left": 0.25,
    "no_data": False,
    "burn": [
        {
            "window": "1h",
            "short_window": "5m",
            "threshold": 14.4,
            "severity": "page",
            "rate": 20.0,
            "short_rate": 21.0,
            "firing": True,
        }
    ],
}
"""An objective as ``slo.view_of`` tells it."""


class Still:
    """What is running, with books that a test writes.

    Attributes:
        books: the books; None before there are any.
        clock: moves by hand.
    """

    def __init__(self, name: str = "direction") -> None:
        self.clock = VirtualClock(10**18)
        self.books: Accounts | None = Accounts(pipeline=name, exact_bounds_ns=(BUDGET_NS,))
        self.running: State = "running"

    def status(self) -> Status:
        return Status(self, budget_ns=BUDGET_NS, clock=self.clock)

    def goes_on(self, *, seconds: float = 2.0, queue_ns: int = 0) -> None:
        """Time passes, and a thousand events with it; some of them wait longer than others."""
        books = self.books
        assert books is not None
        spent = dict.fromkeys(STAGES, 4 * MS)
        for count, more_ns in ((990, 0), (10, queue_ns)):
            edges = np.cumsum([0, *(spent[s] + more_ns * (s == "queue") for s in STAGES)])
            columns = [np.full(count, edge) for edge in edges]
            for place, stage in enumerate(STAGES):
                books.stage(stage, columns[place + 1] - columns[place])
            books.latency(columns[-1])
            ends = (int(edges[3]), int(edges[4]), int(edges[5]))
            books.tail.settled(columns[-1], (columns[0], columns[1], columns[2], *ends), books.e2e)
        books.settle(Outcome.ON_TIME, 990)
        books.settle(Outcome.SHED, 10, Reason.PLANNER)
        books.fetched += 1000
        for _ in range(10):
            books.batch(100, "full", room=128)
            books.run(0, 100, 50 * MS)
        self.clock.advance(int(seconds * 1e9))

    def summary(self) -> Summary | None:
        return None if self.books is None else self.books.summary(10.0, 1.0)

    def accounts(self) -> Accounts | None:
        return self.books

    def gauges(self) -> Gauges:
        source = TopicPartition("ticks", 0)
        return Gauges(
            queue_depth=12,
            demand_workers=0.4,
            lag_records={source: 7},
            lag_seconds=0.25,
            watermarks_seconds={source: 1e9},
            executor_slots=1,
            loop_lag_seconds=0.001,
        )

    def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("full", "sha256:ab", "CPU")]

    def objectives(self) -> list[dict[str, Any]]:
        return [BURNING]

    def readiness(self) -> Mapping[str, bool]:
        return {"model": self.books is not None}

    def state(self) -> State:
        return self.running

    def pause(self) -> None:
        self.running = "paused"

    def resume(self) -> None:
        self.running = "running"

    async def reload(self) -> Mapping[str, Any]:
        return {}
