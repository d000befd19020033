"""How far a consumer has read, where asking takes time in which its partitions may be taken away or set back."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import IllegalStateError, KafkaError

from streamproc.connectors.kafka.raw_records import Record
from streamproc.core import NS_PER_MS, ExternalError, Jump, TopicPartition


class ReadPositions:
    """The positions of a consumer's partitions, as they were last known.

    Attributes:
        epoch: how often they were set by others than the reading; what was asked before and answered after is out of date.
    """

    def __init__(self) -> None:
        self._last: dict[KafkaPartition, int] = {}
        self.epoch = 0

    def forget(self, tp: KafkaPartition) -> None:
        """A partition is ours no longer."""
        self._last.pop(tp, None)

    async def all(self, client: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """The positions behind the last records given, where they are known; see ``Source.positions``."""
        found: dict[TopicPartition, int] = {}
        epoch = self.epoch
        for tp in client.assignment():
            with contextlib.suppress(IllegalStateError):
                position = await _known(client, tp)
                if position is not None:
                    found[TopicPartition(*tp)] = self._last[tp] = position
        # A partition that was taken away and given back meanwhile may have an older position.
        return found if epoch == self.epoch else {}

    async def behind(
        self, client: AIOKafkaConsumer, tp: KafkaPartition, records: list[Record]
    ) -> int:
        """The position behind the records, which may lie beyond markers and compacted ranges."""
        try:
            position: int = await client.position(tp)
        except IllegalStateError:  # revoked in this very moment
            position = records[-1].offset + 1
        self._last[tp] = position
        return position

    def lag(self, client: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Records still to be fetched, as the last fetch told; see ``Source.lag``."""
        found: dict[TopicPartition, int] = {}
        for tp in client.assignment():
            high, position = client.highwater(tp), self._last.get(tp)
            if high is not None and position is not None:
                found[TopicPartition(*tp)] = max(0, high - position)
        return found

    async def skip_to(
        self, client: AIOKafkaConsumer, source: TopicPartition, timestamp_ns: int
    ) -> Jump | None:
        """Let the consumer read on from the first record that is as young; see ``Source.skip_to``."""
        tp, epoch = KafkaPartition(*source), self.epoch
        if tp not in client.assignment():
            return None
        timestamp_ms = max(0, -(-timestamp_ns // NS_PER_MS))
        try:
            found = (await client.offsets_for_times({tp: timestamp_ms}))[tp]
            end = found.offset if found else (await client.end_offsets([tp]))[tp]
        except KafkaError as error:
            msg = f"source.kafka: {source.topic}/{source.partition}: where to go on is not known: {error!r}"
            raise ExternalError(msg, retriable=True) from error
        if epoch != self.epoch:
            return None  # another's by now, or ours from another position
        try:
            # From here to the seek nothing is waited for: no poll can move the position in between.
            start = await _known(client, tp)
            if start is None or end <= start:
                return None
            client.seek(tp, end)
        except IllegalStateError:  # revoked in this very moment
            return None
        self._last[tp] = end
        return Jump(start, end)


async def _known(client: AIOKafkaConsumer, tp: KafkaPartition) -> int | None:
    """The position behind what was given, without waiting; None where it is not known yet."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            position: int = await client.position(tp)
            return position
    return None
