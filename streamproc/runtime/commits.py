"""How a pipeline's positions are committed: by transactions, behind a ledger, or plainly."""

import asyncio
import logging
from typing import TYPE_CHECKING

from streamproc.config import PipelineConfig, kafka_source
from streamproc.core import (
    NS_PER_S,
    Clock,
    ConfigError,
    ExternalError,
    Sink,
    Source,
    TransactionalSink,
    TransactionalSource,
)
from streamproc.engine import ScheduleLog
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.changelog_commits import ChangelogCommits
from streamproc.runtime.driver import Driver
from streamproc.runtime.ledger_commits import LedgerCommits
from streamproc.runtime.scheduling import transaction_interval_ns
from streamproc.runtime.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Commits:
    """Stores how far the partitions are done, again and again.

    Args:
        config: the pipeline.
        assembly: its parts.
        driver: says when what is under way has left.
        source: stores positions.
        sink: publishes the ledger, or the transactions.
        clock: the time.
        interval_ns: how often positions are stored.
        schedule: the schedule log, handed on as often; None where none is kept.

    Attributes:
        before: is called before positions are stored; not with transactions, whose outcomes count after them.

    Raises:
        ConfigError: the source or the sink knows no transactions, and they are asked for.
    """

    def __init__(
        self,
        config: PipelineConfig,
        assembly: Assembly,
        driver: Driver,
        *,
        source: Source,
        sink: Sink,
        clock: Clock,
        interval_ns: int,
        schedule: ScheduleLog | None,
    ) -> None:
        self._engine = assembly.engine
        self._tracer = assembly.tracer
        self._clock = clock
        self._source = source
        self._interval_ns = interval_ns
        self._schedule = schedule
        self.before: Callable[[], None] | None = None
        self._ledger = _ledger_commits(assembly, driver, sink)
        self._changelog = _changelog_commits(assembly, driver, sink, clock)
        self._transactions = _transactions(
            config, assembly, driver, source=source, sink=sink, clock=clock
        )

    async def run(self) -> None:
        """Do so until cancelled."""
        if self._transactions is not None:
            await self._transactions.run()
            return
        while True:
            await asyncio.sleep(self._interval_ns / NS_PER_S)
            if self._schedule is not None:
                self._schedule.flush()  # a crash while nothing comes must not take the end with it
            await self.commit()

    async def commit(self) -> None:
        """Do it now; what cannot be stored for the moment is stored the next time.

        Raises:
            ExternalError: it cannot be stored for good.
        """
        if self._transactions is not None:
            await self._transactions.commit()
            return
        try:
            self._engine.moved(await self._source.positions())
            positions = self._engine.positions_to_commit()
            if self._changelog is not None:
                await self._changelog.publish()
            if positions:
                if self._ledger is not None:
                    await self._ledger.publish(positions)
                if self.before is not None:
                    self.before()
                began_ns = self._clock.now_ns()
                await self._source.commit(positions)
                self._engine.committed(positions)
                if self._tracer is not None:
                    self._tracer.committed(positions, began_ns, self._clock.now_ns())
        except ExternalError as error:
            if not error.retriable:
                raise
            log.warning("%s; trying again", error)


def _ledger_commits(assembly: Assembly, driver: Driver, sink: Sink) -> LedgerCommits | None:
    """What publishes the ledger before each commit; None where there is none, or it is in the transactions."""
    if assembly.ledger is None or assembly.transaction is not None:
        return None
    commits = LedgerCommits(engine=assembly.engine, ledger=assembly.ledger, sink=sink)
    driver.before_release = commits.release
    return commits


def _changelog_commits(
    assembly: Assembly, driver: Driver, sink: Sink, clock: Clock
) -> ChangelogCommits | None:
    """What writes the changelog before each commit; None where there is none, or it is in the transactions."""
    if assembly.changelog is None or assembly.transaction is not None:
        return None
    commits = ChangelogCommits(
        engine=assembly.engine,
        changelog=assembly.changelog,
        sink=sink,
        clock=clock,
        then=driver.before_release,
    )
    driver.before_release = commits.release
    return commits


def _transactions(
    config: PipelineConfig,
    assembly: Assembly,
    driver: Driver,
    *,
    source: Source,
    sink: Sink,
    clock: Clock,
) -> Transactions | None:
    """What commits by transactions; None with ``at_least_once``.

    Raises:
        ConfigError: the source or the sink knows no transactions.
    """
    if assembly.transaction is None:
        return None
    if not (isinstance(source, TransactionalSource) and isinstance(sink, TransactionalSink)):
        msg = (
            f"delivery: exactly_once needs a transactional source and sink, not {source} and {sink}"
        )
        raise ConfigError(msg)
    return Transactions(
        engine=assembly.engine,
        transaction=assembly.transaction,
        driver=driver,
        sink=sink,
        source=source,
        clock=clock,
        interval_ns=transaction_interval_ns(config),
        idle_ns=int(kafka_source(config, "delivery: exactly_once").commit_interval),
    )
