"""Positions are stored only when the ledger that covers them is with the broker: ``at_least_once``."""

from collections.abc import Collection, Mapping

from streamproc.core import Sink, TopicPartition
from streamproc.engine import Engine, Ledger
from streamproc.runtime.acknowledging import Acknowledging


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
        self._sent = Acknowledging(sink)

    async def publish(self, positions: Mapping[TopicPartition, int]) -> None:
        """Publish what the commit of these positions covers, and wait until the broker has it.

        Raises:
            ExternalError: it never will.
        """
        await self._sent.send(self._ledger.records(positions))

    async def release(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The positions to commit of partitions that are about to leave, with their ledger published."""
        moved = self._engine.positions_to_commit()
        positions = {source: at for source, at in moved.items() if source in set(partitions)}
        await self.publish(positions)
        return positions
