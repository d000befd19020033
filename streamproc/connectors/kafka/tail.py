"""Reads topics beside everybody else: a consumer without a group, from a place of its own."""

import contextlib
import logging
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from streamproc.connectors.kafka.columns import columns_of
from streamproc.connectors.kafka.connection import Access, stop_within
from streamproc.connectors.kafka.consumers import FETCH_MAX_BYTES
from streamproc.connectors.kafka.options import KafkaSource
from streamproc.connectors.kafka.raw_records import RawLists, flat, install
from streamproc.connectors.kafka.source import STOP_TIMEOUT_S
from streamproc.connectors.kafka.topics import topic_shapes
from streamproc.core import NS_PER_MS, Clock, ExternalError, RecordBatch

log = logging.getLogger(__name__)

RECORDS_MAX = 4_096
FETCH_WAIT_MS = 100


class TopicTail:
    """Reads all partitions of topics.

    Args:
        access: the cluster.
        topics: what is read; those that do not exist are left out.
        options: the pipeline's source, whose isolation level and sizes are taken over.
        clock: for the instants of arrival.
    """

    def __init__(
        self, access: Access, topics: Collection[str], options: KafkaSource, clock: Clock
    ) -> None:
        self._access = access
        self._asked = topics
        self._options = options
        self._clock = clock
        self._consumer: AIOKafkaConsumer | None = None
        self._lists: RawLists | None = None
        self.topics: list[str] = []
        """Those that exist."""
        self.skipped_total = 0
        """Records that were gone before they could be read (retention)."""

    async def start(self, *, since_ns: int | None) -> None:
        """Connect, and stand at the place to begin.

        Args:
            since_ns: read from the first record that is as young; None from what comes from now on.

        Raises:
            ConfigError: the cluster refuses us.
            ExternalError: it cannot be reached.
        """
        settings = self._access.settings()
        await self._access.check_reachable()
        self._lists = RawLists() if install() else None
        async with self._access.explained():
            shapes = await topic_shapes(settings, self._asked)
            self.topics = [topic for topic in self._asked if shapes[topic] is not None]
            partitions = [
                KafkaPartition(topic, number)
                for topic, shape in shapes.items()
                for number in range(shape.partitions if shape else 0)
            ]
            consumer = AIOKafkaConsumer(
                **{
                    **settings,
                    "group_id": None,
                    "enable_auto_commit": False,
                    "auto_offset_reset": "none",
                    "isolation_level": self._options.isolation_level,
                    "fetch_max_wait_ms": FETCH_WAIT_MS,
                    "fetch_max_bytes": FETCH_MAX_BYTES,
                    "max_partition_fetch_bytes": int(self._options.max_partition_fetch),
                    "key_deserializer": self._lists,
                }
            )
            self._consumer = consumer
            await consumer.start()
            consumer.assign(partitions)
            await self._seek(consumer, partitions, since_ns)

    async def poll(self, *, timeout_ns: int) -> list[RecordBatch]:
        """The next records; empty when none came within the time.

        Raises:
            ExternalError: the cluster failed for good.
        """
        consumer = self._consumer
        if consumer is None or not self.topics:
            return []
        asked = self._lists.ask(RECORDS_MAX) if self._lists else RECORDS_MAX
        try:
            fetched = await consumer.getmany(timeout_ms=timeout_ns // NS_PER_MS, max_records=asked)
        except OffsetOutOfRangeError as error:
            await self._go_on_behind_retention(consumer, error)
            return []
        except KafkaError as error:
            if error.retriable:
                log.warning("%s: %r, trying again", self._access.what, error)
                return []
            msg = f"{self._access.what}: {error!r}"
            raise ExternalError(msg) from error
        arrival_ns = self._clock.now_ns()
        return [
            columns_of(
                tp,
                records,
                arrival_ns=arrival_ns,
                end_position=(end := await consumer.position(tp)),
                behind=max(0, (consumer.highwater(tp) or 0) - end),
            )
            for tp, given in fetched.items()
            if (records := flat(given))
        ]

    async def left(self) -> int:
        """How many offsets lie between what was given and the ends of the topics at this moment.

        Raises:
            ExternalError: nobody answers.
        """
        consumer = self._consumer
        if consumer is None:
            return 0
        try:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            return sum([max(0, end - await consumer.position(tp)) for tp, end in ends.items()])
        except KafkaError as error:
            msg = f"{self._access.what}: {error!r}"
            raise ExternalError(msg, retriable=True) from error

    async def stop(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            what = f"{self._access.what}: the consumer"
            await stop_within(consumer.stop(), what, STOP_TIMEOUT_S)

    @staticmethod
    async def _seek(
        consumer: AIOKafkaConsumer, partitions: Collection[KafkaPartition], since_ns: int | None
    ) -> None:
        """Stand at the first record that is as young, or at the end."""
        ends = await consumer.end_offsets(partitions) if partitions else {}
        found = {}
        if since_ns is not None and partitions:
            since_ms = max(0, since_ns // NS_PER_MS)
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        for tp in partitions:
            place = found.get(tp)
            consumer.seek(tp, ends[tp] if place is None else place.offset)

    async def _go_on_behind_retention(
        self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError
    ) -> None:
        for tp, wanted in error.args[0].items():
            with contextlib.suppress(KafkaError, IllegalStateError):
                earliest = (await consumer.beginning_offsets([tp]))[tp]
                consumer.seek(tp, earliest)
                self.skipped_total += max(0, earliest - wanted)
                log.warning("%s/%d: the records before %d are gone", *tp, earliest)
