"""Positions are stored only when the ledger that covers them is with the broker: ``at_least_once``."""

import asyncio
from collections.abc import Collection, Mapping

from streamproc.core import Sink, TopicPartition
from streamproc.engine import Engine, Ledger


class LedgerCommits:
    """Publishes the ledger before a commit.

    Args:
        engine: knows how far its partitions are done.
        ledger: what became of their records.
        sink: publishes.
    """

    def __init__(self, *, engine: Engine, ledger: Ledger, sink: Sink) -> None:
        self._engine = engine
        self._ledger = ledger
        self._sink = sink

    async def publish(self, positions: Mapping[TopicPartition, int]) -> None:
        """Publish what the commit of these positions covers, and wait until the broker has it.

        Raises:
            ExternalError: it never will.
        """
        loop = asyncio.get_running_loop()
        waiting = []
        for records in self._ledger.records(positions):
            acknowledged: asyncio.Future[int] = loop.create_future()

            def done(result: int | Exception, told: asyncio.Future[int] = acknowledged) -> None:
                if told.done():
                    return
                if isinstance(result, Exception):
                    told.set_exception(result)
                else:
                    told.set_result(result)

            self._sink.send(records, done)
            waiting.append(acknowledged)
        if waiting:
            await asyncio.gather(*waiting)

    async def release(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The positions to commit of partitions that are about to leave, with their ledger published."""
        moved = self._engine.positions_to_commit()
        positions = {source: at for source, at in moved.items() if source in set(partitions)}
        await self.publish(positions)
        return positions
