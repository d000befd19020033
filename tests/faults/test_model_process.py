"""The model's process dies, hangs, or has no memory, under load: every event has its outcome, and the decisions go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from streamproc.core import Duration, Size, SystemClock
from streamproc.executors import Breaker, IsolatedExecutor, Isolation, Model, PythonModel
from streamproc.executors import load_executors as load
from streamproc.runtime import Service
from streamproc.testing import MemoryBroker, MemorySink, MemorySource, assert_accounts
from tests.engine.pipelines import pipeline, within
from tests.executors.isolated import models
from tests.support import descendants

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamproc.telemetry import Summary

EVERY_S = 0.005
RECOVERS_WITHIN_S = 60
"""The promise is 2 s; a busy machine starts a process ten times slower than an idle one."""


class World:
    """A service with an isolated model, over a broker in memory, under a steady load."""

    def __init__(self, **isolation: Any) -> None:
        self.clock = SystemClock()
        self.broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=self.clock)
        self.source = MemorySource(self.broker, ["ticks"], group="p")
        model = Model(
            executor=PythonModel(f"{models.__name__}:double"),
            isolation=Isolation(**isolation),
        )
        config = pipeline(model=model, deadline=within("60s"))
        (executor,) = load(model, self.clock)
        assert isinstance(executor, IsolatedExecutor)
        self.executor = executor
        parts = config.parts(
            source=self.source, sink=MemorySink(self.broker), executor=executor, clock=self.clock
        )
        self.service = Service(config, parts)

    async def run(self, values: list[float], *, meanwhile: Callable[[int], None]) -> Summary:
        """Send these, one every few milliseconds; to the end."""
        running = asyncio.create_task(self.service.run())
        for n, value in enumerate(values):
            self.broker.produce("ticks", {"x": value}, partition=n % 2, key=str(n % 5))
            meanwhile(n)
            await asyncio.sleep(EVERY_S)
        async with asyncio.timeout(300):
            while self.ended < len(values):  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
            self.service.stop()
            summary = await running
        assert_accounts(summary)
        assert summary["consumed"] == len(values)
        return summary

    @property
    def ended(self) -> int:
        return len(self.broker.records("decisions")) + len(self.broker.records("p.dlq"))

    def reasons(self) -> Counter[str]:
        letters = [dict(record.headers) for record in self.broker.records("p.dlq")]
        return Counter(str(headers["streamproc-reason"], "utf-8") for headers in letters)  # type: ignore[arg-type]

    def gap_s(self) -> float:
        """The longest time without a decision, as the broker saw it."""
        times = sorted(record.timestamp_ns for record in self.broker.records("decisions"))
        return float(np.diff(times).max()) / 1e9


def nothing(_: int) -> None:
    """Let it be."""


async def test_sigkill_under_load_costs_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    others = set(descendants(os.getpid()))  # such as another test's broker
    world = World(timeout=Duration.parse("60s"))

    def kill(n: int) -> None:
        if n in (100, 250):
            for pid in set(descendants(os.getpid())) - others:
                os.kill(pid, signal.SIGKILL)

    summary = await world.run([1.0] * 400, meanwhile=kill)
    with capsys.disabled():
        print(f"\nSIGKILL of all of the model's processes, twice: {world.gap_s():.2f} s without")
    assert summary["outcomes"]["on_time"] == 400
    assert world.gap_s() < RECOVERS_WITHIN_S


@pytest.mark.parametrize(
    ("poison", "reason", "isolation"),
    [
        (models.SEGFAULT, "model_crashed", {"timeout": Duration.parse("60s")}),
        (models.ABORT, "model_crashed", {"timeout": Duration.parse("60s")}),
        (models.HANG, "model_timeout", {"timeout": Duration.parse("1s")}),
        (models.LEAK, "model_crashed", {"memory_limit": Size.parse("256MiB"), "timeout": Duration.parse("30s")}),
        (models.RAISE, "model_failed", {}),
    ],
    ids=["segfault", "abort", "hang", "out of memory", "exception"],
)  # fmt: skip
async def test_poison_alone_is_a_dead_letter(
    poison: float, reason: str, isolation: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(**isolation)
    values = [1.0] * 100
    values[50] = poison
    summary = await world.run(values, meanwhile=nothing)
    with capsys.disabled():
        print(f"\n{reason} of {poison:.0e}: {world.gap_s():.2f} s without a decision")
    assert summary["outcomes"]["on_time"] == 99
    assert world.reasons() == {reason: 1}
    assert world.gap_s() < RECOVERS_WITHIN_S


async def test_a_model_that_fails_again_and_again_is_left_alone_and_tried_again() -> None:
    world = World(
        timeout=Duration.parse("60s"), breaker=Breaker(failures=3, pause=Duration.parse("500ms"))
    )
    values = [models.ABORT] * 20 + [1.0] * 500
    summary = await world.run(values, meanwhile=nothing)
    reasons = world.reasons()
    assert reasons.keys() == {"model_crashed", "model_unavailable"}
    assert summary["outcomes"]["on_time"] + sum(reasons.values()) == 520
    assert summary["outcomes"]["on_time"] > 0
    assert world.executor.health().breaker == "closed"
    assert world.executor.health().opened_total >= 1
