"""The Kafka source: a consumer of a group, read as columns."""

import logging
from collections.abc import Collection, Mapping
from functools import partial

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
)

from streamproc.connectors.kafka.co_partitioning import require_co_partitioned, require_complete
from streamproc.connectors.kafka.columns import columns_of
from streamproc.connectors.kafka.connection import Access, stop_within
from streamproc.connectors.kafka.consumers import consumer_of, go_on_behind_retention
from streamproc.connectors.kafka.group_offsets import membership_of, stable_offsets
from streamproc.connectors.kafka.group_requests import GroupMembership, StoredOffset
from streamproc.connectors.kafka.identity import Identity
from streamproc.connectors.kafka.membership import forget_instance
from streamproc.connectors.kafka.options import KafkaSource
from streamproc.connectors.kafka.progress_text import from_stored
from streamproc.connectors.kafka.raw_records import RawLists, flat, install
from streamproc.connectors.kafka.read_positions import ReadPositions
from streamproc.connectors.kafka.rebalance import Rebalance
from streamproc.connectors.kafka.recalls import Recalls
from streamproc.connectors.kafka.renewal import show
from streamproc.connectors.kafka.rewinding import rewound
from streamproc.connectors.kafka.start_offsets import positions_of, settle_start
from streamproc.connectors.kafka.stored_errors import heed_stored_errors
from streamproc.connectors.kafka.uncancelled import Uncancelled
from streamproc.core import (
    NS_PER_MS,
    AssignmentListener,
    Clock,
    ExternalError,
    Int64Array,
    Jump,
    Recall,
    RecordBatch,
    TopicPartition,
)

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 10.0


class KafkaRecordSource:
    """Reads a group's share of topics.

    Args:
        options: what the user set.
        group_id: the consumer group.
        clock: for the instant of arrival.
        transactional: True where a sink stores the positions, in its transactions.
        together: True where partitions of one number belong together: topics must be co-partitioned.

    Attributes:
        withheld: partitions of which ``poll`` gives nothing for the time being.
    """

    def __init__(
        self,
        options: KafkaSource,
        *,
        group_id: str,
        clock: Clock,
        transactional: bool = False,
        together: bool = False,
    ) -> None:
        self._options = options
        self._access = Access.of_source(options)
        self._group_id = group_id
        self._clock = clock
        self._consumer: AIOKafkaConsumer | None = None
        self._listener: AssignmentListener | None = None
        self._paused = False
        self._lists: RawLists | None = None
        self._positions = ReadPositions()
        self._not_taken_over: Exception | None = None
        self._identity: Identity | None = None
        self._commits = Uncancelled()
        self._transactional = transactional
        self._together = together
        self.withheld: Collection[TopicPartition] = ()
        self.membership: GroupMembership | None = None
        """Who we were in the group at the last assignment, which is what a transaction may say."""
        self.skipped_total = 0
        """Records that were gone before they could be read (retention)."""
        self.rewind_ns = 0
        """See ``Rewinding``."""
        self.recall: Recall | None = None
        """See ``Recalling``."""
        self._recalls = Recalls(self.not_taken_over)
        self.leaves_for_good = False
        """True to leave the group at the end though a static member: it will not come back within the session."""

    @property
    def _client(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            msg = "the source is not started"
            raise ExternalError(msg)
        return self._consumer

    async def start(self, listener: AssignmentListener) -> None:
        """Connect and join the group; see ``Source``."""
        options = self._options
        settings = self._access.settings()
        await self._access.check_reachable()
        self._listener = listener
        self._lists = RawLists() if install() else None
        if self._lists is None:
            log.warning("aiokafka is of an unknown version: records are read the slow way")
        async with self._access.explained(group=self._group_id):
            await settle_start(
                settings,
                group_id=self._group_id,
                topics=options.topics,
                reset=options.auto_offset_reset,
            )
            if self._together:
                await require_co_partitioned(settings, options.topics)
            consumer = consumer_of(
                options,
                settings,
                group_id=self._group_id,
                lists=self._lists,
                together=self._together,
            )
            self._consumer = consumer
            if options.group_instance_id is not None:
                self._identity = Identity(
                    options.group_instance_id,
                    session_ns=int(options.session_timeout),
                    clock=self._clock,
                )
            await consumer.start()
            heed_stored_errors(consumer)
            if self._identity is not None:
                self._identity.listen(consumer)
            consumer.subscribe(list(options.topics), listener=Rebalance(self))

    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        """The next records; see ``Source``."""
        consumer = self._client
        asked = self._lists.ask(records_max) if self._lists else records_max
        self.require_membership()
        try:
            wanted = [tp for tp in consumer.assignment() if tp not in self.withheld]
            fetched = await consumer.getmany(
                *(wanted if self.withheld else ()),  # none named are all
                timeout_ms=timeout_ns // NS_PER_MS,
                max_records=asked,
            )
        except OffsetOutOfRangeError as error:
            self.skipped_total += await go_on_behind_retention(consumer, error)
            return []
        except NoOffsetForPartitionError:
            return []  # a partition that was added: `assigned` is about to settle where it begins
        except RecordTooLargeError as error:
            msg = f"source.kafka: {error}; set source.kafka.max_partition_fetch higher"
            raise ExternalError(msg) from error
        except KafkaError as error:
            if error.retriable:
                log.warning("source.kafka: %r, trying again", error)
                return []
            if (refused := self._access.denied(error, group=self._group_id)) is not None:
                raise refused from error
            msg = f"source.kafka: {error!r}"
            raise ExternalError(msg) from error
        epoch = self._positions.epoch
        arrival_ns = self._clock.now_ns()
        batches = [
            columns_of(
                tp,
                records,
                arrival_ns=arrival_ns,
                end_position=(end := await self._positions.behind(self._client, tp, records)),
                behind=max(0, (self._client.highwater(tp) or 0) - end),
            )
            for tp, given in fetched.items()
            if (records := flat(given))
        ]
        # Where it was set back meanwhile, these come again, from where it was set back to.
        return batches if epoch == self._positions.epoch else []

    def pause(self) -> None:
        """Fetch nothing more; see ``Source``."""
        self._paused = True
        self._client.pause(*self._client.assignment())

    def resume(self) -> None:
        """Fetch again; see ``Source``."""
        self._paused = False
        waiting = self._recalls.waiting
        self._client.resume(*(tp for tp in self._client.assignment() if tp not in waiting))

    async def positions(self) -> dict[TopicPartition, int]:
        """The positions behind the last records given; see ``Source``."""
        return await self._positions.all(self._client)

    def lag(self) -> dict[TopicPartition, int]:
        """Records still to be fetched, as the last fetch told; see ``Source``."""
        return {} if self._consumer is None else self._positions.lag(self._consumer)

    async def skip_to(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        """Read on from the first record that is as young; see ``Source``."""
        return await self._positions.skip_to(self._client, source, timestamp_ns)

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Store positions of partitions that are still ours; see ``Source``."""
        owned = self._client.assignment()
        offsets = {
            KafkaPartition(*source): position
            for source, position in positions.items()
            if KafkaPartition(*source) in owned
        }
        if not offsets:
            return
        try:
            await self._commits.wait(self._client.commit(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            msg = f"source.kafka: positions not stored, the group is rebalancing: {error}"
            raise ExternalError(msg, retriable=True) from error
        except KafkaError as error:
            msg = f"source.kafka: cannot commit: {error!r}"
            raise ExternalError(msg, retriable=True) from error

    def exhausted(self) -> bool:
        """A topic has no end."""
        return False

    def renew(self, access: Access, settings: Mapping[str, object]) -> None:
        """Show other credentials from the next connection on; see ``Renewable``."""
        self._access = access
        if self._consumer is not None:
            show(self._consumer._client, settings)  # noqa: SLF001 - aiokafka's

    async def stop(self) -> None:
        """Leave the group; see ``Source``."""
        consumer, self._consumer = self._consumer, None
        await self._recalls.stop()
        if consumer is not None:
            if self.leaves_for_good:
                forget_instance(consumer)
            await stop_within(consumer.stop(), "source.kafka: the consumer", STOP_TIMEOUT_S)
        await self._commits.end()

    async def assigned(self, partitions: Collection[KafkaPartition]) -> None:
        """The group gave us these (aiokafka's listener calls this)."""
        if self._listener is None or self._consumer is None:
            return  # stopped while the group was still forming
        if self._transactional:
            self.membership = membership_of(self._consumer, self._group_id)
        await self._take_over([TopicPartition(*tp) for tp in partitions])

    async def rewind(self, partitions: Collection[TopicPartition]) -> None:
        """Read partitions again from what is stored; see ``TransactionalSource``."""
        if not partitions:
            return
        owned = self._client.assignment()
        try:
            await self._take_over([source for source in partitions if source in owned])
        except KafkaError as error:
            msg = f"source.kafka: cannot read again what was taken back: {error!r}"
            raise ExternalError(msg) from error

    async def stored(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, StoredOffset]:
        """What the group has stored, once no transaction can change it any more.

        Raises:
            KafkaError: the broker refuses.
        """
        return await stable_offsets(self._client, self._group_id, partitions)

    async def revoked(self, partitions: Collection[KafkaPartition]) -> None:
        """The group takes these away (aiokafka's listener calls this)."""
        if self._listener is None or not partitions:
            return
        sources = [TopicPartition(*tp) for tp in partitions]
        await self._recalls.stop(sources)
        positions = await self._listener.revoked(sources)
        for tp in partitions:
            self._positions.forget(tp)
        try:
            await self.commit(positions)
        except ExternalError as error:
            log.warning("%s; the next owner decides again what is not stored", error)

    async def _take_over(self, sources: Collection[TopicPartition]) -> None:
        """Read partitions from what is stored, and say so."""
        self._positions.epoch += 1
        require_complete(sources, self._options.topics if self._together else ())
        if self.rewind_ns:  # else what lies behind the position came first, to be handed back
            self._client.pause(*map(KafkaPartition._make, sources))
        beyond: dict[TopicPartition, Int64Array] = {}
        positions: dict[TopicPartition, int] = {}
        if self._transactional:
            for source, stored in (await self.stored(sources)).items():
                positions[source], beyond[source] = from_stored(stored)
        new = [source for source in sources if source not in positions]
        positions |= await positions_of(self._client, new)
        if self.recall is None or not positions:
            await self._begin(positions, beyond, positions)
            return
        owned = self._client.assignment()
        positions = {s: at for s, at in positions.items() if KafkaPartition(*s) in owned}
        self._client.pause(*map(KafkaPartition._make, positions))
        self._recalls.start(self.recall, positions, partial(self._begin, positions, beyond))

    async def _begin(
        self,
        positions: dict[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array],
        recalled: Mapping[TopicPartition, int],
    ) -> None:
        """Read partitions from where what was remembered of them ends, or from where it begins."""
        starts = recalled
        if self.rewind_ns and positions:
            # What an aborted transaction wrote tells nothing of the time of what counts.
            isolation = {"isolation_level": self._options.isolation_level}
            starts = await rewound(
                {**self._access.settings(), **isolation},
                positions,
                reach_ns=self.rewind_ns,
                now_ns=self._clock.now_ns(),
                together=self._together,
            )
            starts = {source: min(at, recalled[source]) for source, at in starts.items()}
        if self._consumer is None:
            return  # stopped while this was waiting
        gone = set(positions) - {TopicPartition(*tp) for tp in self._client.assignment()}
        for source in gone:  # revoked while this was waiting
            del positions[source]
        self._read_on({source: starts[source] for source in positions})
        self._positions.epoch += 1  # whatever was asked while this was waiting is out of date
        if self._listener is not None:
            if self._transactional:
                self._listener.assigned(positions, beyond)
            else:
                self._listener.assigned(positions)

    def _read_on(self, starts: Mapping[TopicPartition, int]) -> None:
        """Read from these offsets on, as soon as anything is read."""
        for source, offset in starts.items():
            self._client.seek(KafkaPartition(*source), offset)
        partitions = map(KafkaPartition._make, starts)
        if self._paused:
            self._client.pause(*partitions)
        elif self.rewind_ns or self.recall is not None:
            self._client.resume(*partitions)

    def not_taken_over(self, error: Exception) -> None:
        """The group gave us partitions that we cannot read: the next ``poll`` fails (aiokafka swallows it)."""
        if self._consumer is not None:
            self._not_taken_over = error

    def require_membership(self) -> None:
        """See that what the group gave us is ours.

        Raises:
            ExternalError: it is not, or cannot be read.
        """
        if self._not_taken_over is not None:
            msg = f"source.kafka: the assigned partitions cannot be taken over: {self._not_taken_over!r}"
            raise ExternalError(msg) from self._not_taken_over
        if self._identity is not None and self._identity.taken:
            msg = f"source.kafka: {self._identity}: each process needs its own"
            raise ExternalError(msg)
