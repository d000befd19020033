"""The Kafka sink of ``exactly_once``: records and the group's offsets, published together or not at all.

One transactional producer a worker. That its offsets count only while it is a member of the group in the same
generation, the group itself sees to (KIP-447), so that partitions need no producers of their own. Whatever fails
is mended in one way: a new producer with the same id, whose start ends the transaction that was open.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from streamproc.connectors.kafka.connection import Access
from streamproc.connectors.kafka.group_offsets import (
    InstanceFencedError,
    NotAMemberError,
    add_offsets,
    hush,
    require_known_aiokafka,
)
from streamproc.connectors.kafka.group_requests import GroupMembership, StoredOffset
from streamproc.connectors.kafka.outbox import Delivery, Outbox, Parcel, Piece
from streamproc.connectors.kafka.partitioning import rows_by_partition
from streamproc.connectors.kafka.producers import Producers
from streamproc.connectors.kafka.progress_text import fits, to_stored
from streamproc.connectors.kafka.raw_batches import RecordAppender
from streamproc.connectors.kafka.renewal import show
from streamproc.connectors.kafka.sink import mends
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    AbortedError,
    Clock,
    ExternalError,
    OutRecords,
    Progress,
    SendDone,
    TopicPartition,
)

log = logging.getLogger(__name__)

_BACKOFF_MIN_S = 0.1
_BACKOFF_MAX_S = 5.0
_ABORT_S = 3.0

Stored: TypeAlias = Callable[
    [Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, StoredOffset]]
]
"""Tells what the group has stored, once no open transaction can change it."""


@dataclass(slots=True, eq=False)
class _Transaction:
    """What one transaction is to publish.

    Attributes:
        outboxes: its records, by topic and partition.
        dones: who waits for its commit.
        begun_ns: when its first record came; None where none did.
        ending: True once the broker was asked to commit it: what it answered may not be known.
        error: why it cannot be committed.
        changed: set when a record was acknowledged, or it failed.
    """

    outboxes: dict[tuple[str, int], Outbox] = field(default_factory=dict)
    dones: list[SendDone] = field(default_factory=list)
    begun_ns: int | None = None
    ending: bool = False
    error: BaseException | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def bytes_total(self) -> int:
        return sum(outbox.bytes_total for outbox in self.outboxes.values())

    async def flushed(self) -> None:
        """Wait until the broker has every record.

        Raises:
            BaseException: for which it never will.
        """
        while self.error is None and self.bytes_total:
            self.changed.clear()
            await self.changed.wait()
        if self.error is not None:
            raise self.error

    def fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self.changed.set()


class KafkaTransactionalSink:
    """Sends records to topics in transactions.

    Args:
        producers: makes the producer, anew where it failed.
        identity: gives the ``transactional.id``, for as long as the sink runs.
        membership: who the source is in its group; None before it is anybody.
        stored: what the group has stored.
        clock: for the instants of sending and commit.
    """

    def __init__(
        self,
        producers: Producers,
        *,
        identity: AbstractContextManager[str],
        membership: Callable[[], GroupMembership | None],
        stored: Stored,
        clock: Clock,
    ) -> None:
        self._producers = producers
        self._options = producers.options
        self._identity = identity
        self._membership = membership
        self._stored = stored
        self._clock = clock
        self._held = ExitStack()
        self._id = ""
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, int] = {}
        self._open = _Transaction()
        self._closing: _Transaction | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect, end what an earlier life left open, and learn the topics; see ``Sink``."""
        require_known_aiokafka()
        self._id = self._held.enter_context(self._identity)
        await self._producers.access.check_reachable()
        async with self._producers.access.explained(topic_setting="topic", writes=True):
            self._partitions = await self._producers.learn_topics()
            self._producer = await self._connect()

    def send(self, records: OutRecords, done: SendDone) -> None:
        """Take records into the open transaction; see ``Sink``."""
        partitions = self._partitions[records.topic]
        same_count = self._partitions.get(records.source.topic) == partitions
        now_ns = self._clock.now_ns()
        transaction = self._open
        if transaction.begun_ns is None:
            transaction.begun_ns = now_ns
        transaction.dones.append(done)
        delivery = Delivery(done)
        split = rows_by_partition(records, partitions, same_count=same_count)
        for partition, rows in split.items():
            place = (records.topic, partition)
            outbox = transaction.outboxes.setdefault(place, Outbox(*place))
            outbox.fill(
                Piece(delivery, records, rows),
                new_builder=self._new_builder,
                timestamp_ms=now_ns // NS_PER_MS,
            )
            self._run(transaction, outbox)

    def pending_bytes(self) -> int:
        """Bytes that are not committed; see ``Sink``."""
        return sum(t.bytes_total for t in (self._open, self._closing) if t is not None)

    def healthy(self) -> bool:
        """True while connected; see ``Sink``."""
        return self._producer is not None

    def can_hold(self, progress: Mapping[TopicPartition, Progress]) -> bool:
        """Whether what is done behind the positions fits in the texts beside them."""
        return all(fits(to_stored(one)) for one in progress.values())

    async def commit(self, progress: Mapping[TopicPartition, Progress]) -> int:
        """Publish what was sent until now; see ``TransactionalSink``."""
        closing, self._open = self._open, _Transaction()
        self._closing = closing
        offsets = {source: to_stored(one) for source, one in progress.items()}
        try:
            try:
                async with asyncio.timeout(int(self._options.delivery_timeout) / NS_PER_S):
                    await self._publish(closing, offsets)
            except (KafkaError, OSError, TimeoutError) as error:
                await self._mend(closing, offsets, error)
        finally:
            self._closing = None
        committed_ns = self._clock.now_ns()
        for outbox in self._open.outboxes.values():
            self._run(self._open, outbox)
        for done in closing.dones:
            done(committed_ns)
        return committed_ns

    def renew(self, access: Access, settings: Mapping[str, object]) -> None:
        """Show other credentials from the next connection on; see ``Renewable``."""
        self._producers.renew(access, settings)
        if self._producer is not None:
            show(self._producer.client, settings)

    async def stop(self, *, timeout_ns: int) -> None:
        """Take back what is not committed, and disconnect; see ``Sink``."""
        producer = self._producer
        try:
            if producer is not None and self._open.begun_ns is not None:
                with contextlib.suppress(KafkaError, OSError, TimeoutError, AssertionError):
                    async with asyncio.timeout(min(_ABORT_S, timeout_ns / NS_PER_S)):
                        await producer.abort_transaction()
            await self._disconnect()
        finally:
            self._held.close()

    async def _publish(
        self, closing: _Transaction, offsets: Mapping[TopicPartition, StoredOffset]
    ) -> None:
        """All that a commit takes.

        Raises:
            KafkaError: it is not committed, or nobody knows.
        """
        producer = self._producer
        if producer is None:
            msg = "sink.kafka: the sink is not started"
            raise ExternalError(msg)
        await closing.flushed()
        if offsets:
            member = self._membership()
            if member is None:
                raise NotAMemberError
            await add_offsets(producer, member, offsets)
        closing.ending = True
        await producer.commit_transaction()
        await producer.begin_transaction()

    async def _mend(
        self,
        closing: _Transaction,
        offsets: Mapping[TopicPartition, StoredOffset],
        error: BaseException,
    ) -> None:
        """Make a new producer; returns only where the transaction turns out to be committed after all.

        Raises:
            AbortedError: it is not.
            ExternalError: it never will be.
        """
        self._refuse_for_good(closing, error)
        log.warning("sink.kafka: the transaction failed (%r): connecting anew", error)
        await self._disconnect()
        backoff_s = _BACKOFF_MIN_S
        while self._producer is None:
            try:
                self._producer = await self._connect()
            except (KafkaError, OSError) as failure:
                log.warning("sink.kafka: still not connected: %r", failure)
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)
        # The new producer's start has ended the old one's transaction, one way or the other.
        if closing.ending and offsets and dict(await self._stored(list(offsets))) == dict(offsets):
            return
        self._open = _Transaction()
        msg = f"sink.kafka: a transaction was aborted: {error!r}"
        raise AbortedError(msg, lost=isinstance(error, NotAMemberError)) from error

    def _refuse_for_good(self, closing: _Transaction, error: BaseException) -> None:
        """See whether a new producer could do any better.

        Raises:
            ExternalError: it could not.
        """
        if isinstance(error, InstanceFencedError):
            msg = (
                "source.kafka: another process has this one's group_instance_id: give each its own"
            )
            raise ExternalError(msg) from error
        fenced = isinstance(error, ProducerFenced | InvalidProducerEpoch)
        if fenced and not self._timed_out(closing):
            msg = f"sink.kafka: another process has the transactional.id {self._id}: give each pipeline its own name, and each process its own source.kafka.group_instance_id"
            raise ExternalError(msg) from error
        known = isinstance(error, NotAMemberError | OSError | TimeoutError)
        if isinstance(error, TransactionalIdAuthorizationFailed) or not (
            known or fenced or mends(error)
        ):
            msg = f"sink.kafka: the brokers refuse what is sent: {error!r}"
            raise ExternalError(msg) from error

    def _timed_out(self, closing: _Transaction) -> bool:
        """Whether the broker may have ended the transaction itself: to the producer it looks as if fenced."""
        if closing.begun_ns is None:
            return False
        open_ns = self._clock.now_ns() - closing.begun_ns
        return open_ns > int(self._options.transaction_timeout)

    async def _connect(self) -> AIOKafkaProducer:
        producer = await self._producers.connect(
            transactional_id=self._id,
            transaction_timeout_ms=int(self._options.transaction_timeout) // NS_PER_MS,
        )
        await producer.begin_transaction()
        return producer

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if producer is not None:
            await self._producers.disconnect(producer)
            hush(producer)

    def _new_builder(self) -> RecordAppender:
        if (
            self._producer is None
        ):  # it is being made anew: this will be dropped, or sent by the next
            return RecordAppender(
                BatchBuilder(self._producers.batch_bytes, 0, is_transactional=True)
            )
        return RecordAppender(self._producer.create_batch())

    def _run(self, transaction: _Transaction, outbox: Outbox) -> None:
        """Send what the outbox holds, unless the transaction before it is still being committed."""
        if self._closing is None and self._producer is not None and not outbox.running:
            outbox.running = True
            task = asyncio.create_task(self._drain(transaction, outbox))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drain(self, transaction: _Transaction, outbox: Outbox) -> None:
        """Give the producer one parcel after the other."""
        try:
            for parcel in _parcels(outbox):
                producer = self._producer
                if producer is None:
                    return
                outbox.unacknowledged.append(parcel)
                future = await producer.send_batch(
                    parcel.builder.builder, outbox.topic, partition=outbox.partition
                )
                future.add_done_callback(partial(self._ended, transaction, outbox, parcel))
        except Exception as error:  # noqa: BLE001 - whatever it is, the commit raises it
            transaction.fail(error)
        finally:
            outbox.running = False

    def _ended(
        self,
        transaction: _Transaction,
        outbox: Outbox,
        parcel: Parcel,
        future: "asyncio.Future[object]",
    ) -> None:
        """The broker has answered for a parcel."""
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            transaction.fail(error)
            return
        if parcel in outbox.unacknowledged:
            outbox.unacknowledged.remove(parcel)
            outbox.bytes_total -= parcel.bytes_total
            transaction.changed.set()


def _parcels(outbox: Outbox) -> Iterator[Parcel]:
    while (parcel := outbox.next_parcel()) is not None:
        yield parcel
