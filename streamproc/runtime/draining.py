"""The end of a run: what was taken in is finished, and the last positions are stored."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

from streamproc.core import NS_PER_S, Clock
from streamproc.runtime.commits import Commits
from streamproc.runtime.driver import Driver

log = logging.getLogger(__name__)

DRAIN_GRACE_NS = 30 * NS_PER_S
"""How long the end may take: what is not finished then is handed back to the group."""
LAST_COMMIT_S = 5.0


class DrainGrace:
    """How long the end may still take: what was waited for while draining is not waited for twice.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_ns: int | None = None

    def begin(self) -> None:
        """The end begins."""
        self._begun_ns = self._clock.now_ns()

    def left_ns(self) -> int:
        """What is left of it; all before it began."""
        if self._begun_ns is None:
            return DRAIN_GRACE_NS
        gone_ns = self._clock.now_ns() - self._begun_ns
        return max(0, DRAIN_GRACE_NS - gone_ns)


async def run_to_end(
    intake: Coroutine[Any, Any, None],
    *,
    stop: asyncio.Event,
    driver: Driver,
    commits: Commits,
    grace: DrainGrace,
    keepers: Iterable[Coroutine[Any, Any, None]],
    beside: Iterable[Coroutine[Any, Any, None]],
) -> None:
    """Take in until the end, finish what was taken in, store the last positions.

    Args:
        intake: takes in, and ends where nothing more comes.
        stop: set to end before.
        driver: carries out what follows.
        commits: stores positions.
        grace: is told when the end begins.
        keepers: go on all the while; where one fails, all ends.
        beside: go on all the while, too; that one fails is said, and ends nothing.
    """
    kept = [asyncio.create_task(work) for work in keepers]
    others = [asyncio.create_task(_beside(work)) for work in beside]
    reading, stopped = asyncio.create_task(intake), asyncio.create_task(stop.wait())
    try:
        ends: set[asyncio.Future[Any]] = {reading, stopped, driver.failure, *kept}
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if stopped in done:  # a poll that waits for records need not be waited for
            reading.cancel()
        for task in done - {stopped}:
            task.result()
        grace.begin()
        if not await driver.drained(DRAIN_GRACE_NS):
            log.warning("not everything was finished in time: the rest is handed back")
        if driver.failure.done():
            driver.failure.result()
    finally:
        tasks = (reading, stopped, *others, *kept)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    try:
        # A client whose broker is gone asks for ever.
        async with asyncio.timeout(LAST_COMMIT_S):
            await commits.commit()
    except TimeoutError:
        log.warning("the last positions are not stored: what they cover will be decided again")


async def _beside(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a bug: %s has ended", getattr(work, "__qualname__", work))
