"""A worker's life that a test leads by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamproc.core import ModelInfo, Outcome
from streamproc.runtime.workers.messages import Failed, Snapshot, Warm
from streamproc.telemetry import Accounts, Gauges

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamproc.runtime.workers.messages import Job, Order, Report

MS = 1_000_000
MODEL = ModelInfo(variant="full", digest="sha256:ab", runs_on="CPU")
READY = {"model": True, "assignment": True, "broker": True}


class FakeLife:
    """Says what the test says; ends when told to stop, unless it is stubborn."""

    def __init__(self, job: Job, pid: int) -> None:
        self.job = job
        self.pid = pid
        self.orders: list[Order] = []
        self.stubborn = False
        self._reports: asyncio.Queue[Report | str] = asyncio.Queue()

    def tell(self, order: Order) -> None:
        self.orders.append(order)
        if order == "stop" and not self.stubborn:
            self.end(f"(pid {self.pid}) ended with exit code 0")

    def kill(self) -> None:
        self.end(f"(pid {self.pid}) was killed by SIGKILL")

    async def live(self, hear: Callable[[Report], None]) -> str:
        while True:
            report = await self._reports.get()
            if isinstance(report, str):
                return report
            hear(report)

    def end(self, how: str) -> None:
        self._reports.put_nowait(how)

    def warm(self) -> None:
        self._reports.put_nowait(Warm([MODEL]))

    def fail(self, error: Exception) -> None:
        self._reports.put_nowait(Failed.because(error))
        self.end(f"(pid {self.pid}) ended with exit code 1")

    def tell_of(
        self,
        accounts: Accounts | None = None,
        *,
        ready: bool = True,
        gauges: Gauges | None = None,
        cpu_ns: int = 0,
    ) -> None:
        books = accounts or Accounts(pipeline="p", exact_bounds_ns=(100 * MS,))
        readiness = READY if ready else {**READY, "assignment": False}
        self._reports.put_nowait(Snapshot(books, gauges or Gauges(), readiness, cpu_ns))


class FakeLives:
    """Starts them."""

    def __init__(self) -> None:
        self.all: list[FakeLife] = []
        self.room = True
        self._started = asyncio.Condition()

    async def start(self, job: Job) -> FakeLife:
        if not self.room:
            msg = "no room"
            raise OSError(msg)
        life = FakeLife(job, 100 + len(self.all))
        async with self._started:
            self.all.append(life)
            self._started.notify_all()
        return life

    async def number(self, number: int) -> FakeLife:
        """Wait for one, from 0."""
        async with asyncio.timeout(5), self._started:
            await self._started.wait_for(lambda: len(self.all) > number)
        return self.all[number]


async def until(check: Callable[[], object]) -> None:
    """Let the others go on until it is true."""
    async with asyncio.timeout(5):
        while not check():  # noqa: ASYNC110 - it may be anything
            await asyncio.sleep(0)


def books(*, fetched: int = 0, **settled: int) -> Accounts:
    """Books with so many events by outcome, such as ``on_time=3``."""
    accounts = Accounts(pipeline="p", exact_bounds_ns=(100 * MS,))
    accounts.fetched = fetched
    for outcome in Outcome:
        accounts.settle(outcome, settled.get(outcome.word, 0))
    return accounts
