"""Commits what the engine hands over, one transaction after the other: ``delivery: exactly_once``."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping

from streamproc.core import (
    NS_PER_S,
    AbortedError,
    Clock,
    ExternalError,
    TopicPartition,
    TransactionalSink,
    TransactionalSource,
)
from streamproc.engine import Engine, OpenTransaction
from streamproc.runtime.driver import Driver

log = logging.getLogger(__name__)


class Transactions:
    """Begins, commits and takes back.

    A commit begins as soon as there is an outcome to commit and the last one began an interval ago: under light
    load an outcome waits for nothing but the commit itself.

    Args:
        engine: whose partitions are given up when a transaction is aborted.
        transaction: what is to be committed.
        driver: carries out the engine's effects.
        sink: publishes.
        source: goes back to what is stored.
        clock: the pipeline's time.
        interval_ns: the least time from the beginning of a commit to the next one's.
        idle_ns: how often positions are stored that moved over what holds no events.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        transaction: OpenTransaction,
        driver: Driver,
        sink: TransactionalSink,
        source: TransactionalSource,
        clock: Clock,
        interval_ns: int,
        idle_ns: int,
    ) -> None:
        self._engine = engine
        self._transaction = transaction
        self._driver = driver
        self._sink = sink
        self._source = source
        self._clock = clock
        self._interval_ns = interval_ns
        self._idle_ns = idle_ns
        self._began_ns = clock.now_ns() - interval_ns
        self._one_at_a_time = asyncio.Lock()
        driver.before_release = self.release

    async def run(self) -> None:
        """Commit until cancelled.

        Raises:
            ExternalError: the sink or the source failed for good.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._idle_ns / NS_PER_S):
                    while not self._transaction.has_outcomes:
                        await self._driver.progress()
            rest_ns = self._began_ns + self._interval_ns - self._clock.now_ns()
            if rest_ns > 0:
                await asyncio.sleep(rest_ns / NS_PER_S)
            # Not to be left in the middle: the end of the service cancels this loop, and commits once more.
            if not await asyncio.shield(asyncio.ensure_future(self.commit())):
                await self._driver.progress()  # until more is done of what lies before

    async def commit(self) -> bool:
        """Commit what was handed over until now; False where it has to wait for what lies before it.

        Raises:
            ExternalError: the sink or the source failed for good.
        """
        async with self._one_at_a_time:
            return await self._commit()

    async def release(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Commit what was handed over of partitions that are about to leave; nothing is said of them afterwards.

        Returns:
            no positions: they are stored.
        """
        async with self._one_at_a_time:
            self._driver.hand_over()
            while not self._sink.can_hold(self._transaction.progress()):
                await self._driver.progress()
                self._driver.hand_over()
            self._transaction.freeze(partitions)
            try:
                await self._commit(leaving=partitions)
            except ExternalError as error:
                self._driver.fail(error)  # a client's callback would swallow it
        return {}

    async def _commit(self, leaving: Collection[TopicPartition] = ()) -> bool:
        self._engine.moved(await self._source.positions())
        self._driver.hand_over()
        # From here to the sink's own cut nothing is waited for.
        progress = self._transaction.progress()
        changelog = self._engine.changelog
        if changelog is not None:
            changelog.go_on(self._clock.now_ns())
        remembered = changelog is not None and changelog.ready
        if not progress and not self._transaction.has_outcomes and not remembered:
            return True
        if not self._sink.can_hold(progress):
            return False
        self._began_ns = self._clock.now_ns()
        for records in () if changelog is None else changelog.records():
            self._sink.send(records, _nobody_waits)
        for records in self._transaction.ledger(progress):
            self._sink.send(records, _nobody_waits)
        cut = self._transaction.cut(progress)
        try:
            committed_ns = await self._sink.commit(progress)
        except AbortedError as error:
            log.warning("%s; what it was about is read again", error)
            staying = [] if error.lost else set(self._engine.owned()) - set(leaving)
            self._engine.take_back()
            self._driver.told()
            await self._source.rewind(staying)
            return True
        self._transaction.committed(cut, committed_ns)
        self._driver.told()
        return True


def _nobody_waits(_: int | Exception) -> None:
    """The ledger and the changelog are no outcomes of their own."""
