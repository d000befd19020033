"""From aiokafka's calls about the group to the source's."""

import logging
from collections.abc import Collection
from typing import Protocol

from aiokafka import ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition

log = logging.getLogger(__name__)


class Rebalanced(Protocol):
    """What is told of partitions that come and go."""

    async def assigned(self, partitions: Collection[KafkaPartition]) -> None:
        """The group gave us these."""

    async def revoked(self, partitions: Collection[KafkaPartition]) -> None:
        """The group takes these away."""

    def not_taken_over(self, error: Exception) -> None:
        """The group gave us partitions that we cannot read."""


class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands aiokafka's calls on. It swallows what is raised here, so all is reported first.

    Args:
        source: is told.
    """

    def __init__(self, source: Rebalanced) -> None:
        self._source = source

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """The group gave us these."""
        try:
            await self._source.assigned(assigned)
        except Exception as error:
            self._source.not_taken_over(error)
            raise

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        """The group takes these away."""
        try:
            await self._source.revoked(revoked)
        except Exception:
            log.exception("source.kafka: the revoked partitions were not handed over cleanly")
            raise
