"""How much waits to be read, asked by a client that is made for it: one that is stuck cannot be asked."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from streamproc.connectors.kafka.connection import Access, stop_within
from streamproc.connectors.kafka.stored_errors import heed_stored_errors
from streamproc.connectors.kafka.topics import topic_shapes
from streamproc.core import TopicPartition

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 10.0
_STOP_S = 5.0


class Unread:
    """Asks the brokers.

    Args:
        access: of the brokers.
        group_id: the consumer group.
        topics: what it reads.
        isolation_level: what of it is visible.
    """

    def __init__(
        self,
        access: Access,
        *,
        group_id: str,
        topics: Collection[str],
        isolation_level: str,
    ) -> None:
        self._access = access
        self._group_id = group_id
        self._topics = topics
        self._isolation_level = isolation_level
        self._committed: dict[KafkaPartition, int] | None = None

    def renew(self, access: Access) -> None:
        """Show other credentials from now on."""
        self._access = access

    async def ask(self, positions: Mapping[TopicPartition, int]) -> int | None:
        """Records behind these positions.

        Args:
            positions: of the partitions that are ours. Where none is, it is the group that counts: what it
                has not committed, unless it has committed something since the last time.

        Returns:
            None where the brokers do not answer.
        """
        consumer = AIOKafkaConsumer(
            **{
                **self._access.settings(),
                "group_id": self._group_id,
                "enable_auto_commit": False,
                "isolation_level": self._isolation_level,
            }
        )
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                await consumer.start()
                heed_stored_errors(consumer)
                if positions:
                    return await _behind(
                        consumer, {KafkaPartition(*tp): at for tp, at in positions.items()}
                    )
                return await self._of_group(consumer)
        except (TimeoutError, KafkaError, OSError) as error:
            log.info("source.kafka: what waits to be read is not known: %r", error)
            return None
        finally:
            with contextlib.suppress(Exception):
                await stop_within(consumer.stop(), "source.kafka: a client", _STOP_S)

    async def _of_group(self, consumer: AIOKafkaConsumer) -> int:
        shapes = await topic_shapes(self._access.settings(), self._topics)
        partitions = [
            KafkaPartition(topic, number)
            for topic, shape in shapes.items()
            for number in range(shape.partitions if shape else 0)
        ]
        committed = {tp: await consumer.committed(tp) or 0 for tp in partitions}
        before, self._committed = self._committed, committed
        return await _behind(consumer, committed) if committed == before else 0


async def _behind(consumer: AIOKafkaConsumer, positions: Mapping[KafkaPartition, int]) -> int:
    ends = await consumer.end_offsets(list(positions))
    return sum(max(0, end - positions[tp]) for tp, end in ends.items())
