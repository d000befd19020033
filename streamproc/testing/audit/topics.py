"""An audit of topics of a Kafka cluster, as anybody sees them who may read them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from streamproc.connectors.kafka import Access, heed_stored_errors, topic_shapes
from streamproc.core import NS_PER_MS, ConfigError, ExternalError, TopicPartition
from streamproc.testing.audit.auditor import Auditor
from streamproc.testing.audit.report import AuditReport, Delivery
from streamproc.testing.broker import StoredRecord

Isolation = Literal["read_committed", "read_uncommitted"]
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
_POLL_MS = 500


async def audit_topics(  # noqa: PLR0913 - all but one by name
    bootstrap_servers: str,
    *,
    inputs: Sequence[str],
    decisions: str,
    dead_letters: str | None = None,
    shed: str | None = None,
    ledger: str | None = None,
    group_id: str | None = None,
    delivery: Delivery = "at_least_once",
    order: Literal["key", "partition"] | None = "key",
    start: Mapping[TopicPartition, int] | None = None,
    events_of: Callable[[StoredRecord], int] | None = None,
    from_first: bool = False,
    isolation: Isolation = "read_committed",
    security: Mapping[str, str] = _NO_SETTINGS,
    timeout_s: float = 120.0,
) -> AuditReport:
    """Read everything, and hold it against what the pipeline promises.

    Every topic is read to its end as it is now, outputs ``read_committed``. It reads beside a running pipeline,
    too: what is committed is looked up first, so that ``require_sound`` must hold at any moment.

    Args:
        bootstrap_servers: ``host:port``, several with commas.
        inputs: the topics that the pipeline reads.
        decisions: where its decisions go.
        dead_letters: where its dead letters go; None where they are dropped.
        shed: where its shed events go; None where they are dropped.
        ledger: where its ledger goes; without one, events of which nothing is sent count as missing.
        group_id: its consumer group; None leaves out what is committed.
        delivery: what it promises.
        order: whose order it keeps; None for nobody's.
        start: by partition, the offset from which on inputs count; by default all that are there.
        events_of: how many events an input record holds; see ``Auditor``.
        from_first: True where the pipeline did not begin with the first record; see ``Auditor``.
        isolation: with which it reads its inputs.
        security: as ``source.kafka.security``.
        timeout_s: how long the reading of one topic may take.

    Raises:
        ConfigError: a topic does not exist.
        ExternalError: the brokers cannot be reached, or a topic cannot be read in time.
    """
    access = Access("audit", bootstrap_servers, security, security_of="audit")
    settings = access.settings()
    named = {"dead_letter": dead_letters, "shed": shed}
    letters = {word: topic for word, topic in named.items() if topic is not None}
    ledgers = [] if ledger is None else [ledger]
    async with access.explained(group=group_id):
        await _require_topics(settings, [decisions, *letters.values(), *ledgers, *inputs])
        committed = None if group_id is None else await _committed(settings, group_id, inputs)
        begins = await _begins(settings, inputs)
        begins |= {source: max(at, begins.get(source, 0)) for source, at in (start or {}).items()}
        auditor = Auditor(
            delivery,
            order=order,
            start=begins,
            events_of=events_of,
            letters=letters,
            from_first=from_first,
        )
        readings: list[tuple[str, Callable[[StoredRecord], None], Isolation]] = [
            (decisions, auditor.add_decision, "read_committed"),
            *(
                (topic, auditor.add_letter, "read_committed")
                for topic in dict.fromkeys(letters.values())
            ),
            *((topic, auditor.add_ledger, "read_committed") for topic in ledgers),
            *((topic, auditor.add_input, isolation) for topic in inputs),
        ]
        for topic, take, level in readings:
            try:
                async with asyncio.timeout(timeout_s):
                    async for record in read_topic(settings, topic, isolation=level):
                        take(record)
            except TimeoutError:
                msg = f"audit: topic {topic} was not read to its end within {timeout_s:g} s"
                raise ExternalError(msg, retriable=True) from None
    return auditor.report(committed)


async def read_topic(
    settings: Mapping[str, object], topic: str, *, isolation: Isolation = "read_committed"
) -> AsyncIterator[StoredRecord]:
    """Each record of a topic, each partition in its order, to the end as it is now.

    With ``read_committed`` that end lies before the first transaction that is still open.

    Args:
        settings: of the client, as ``client_settings`` gives them.
        topic: an existing topic.
        isolation: which records.
    """
    async with _reader(settings, [topic], isolation) as (consumer, partitions):
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
        for tp in partitions:
            consumer.seek(tp, begins[tp])
        unread = {tp for tp in partitions if begins[tp] < ends[tp]}
        while unread:
            fetched = await consumer.getmany(*unread, timeout_ms=_POLL_MS)
            for tp, records in fetched.items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield _stored(record)
            unread = {tp for tp in unread if await consumer.position(tp) < ends[tp]}


@contextlib.asynccontextmanager
async def _reader(
    settings: Mapping[str, object], topics: Sequence[str], isolation: Isolation
) -> AsyncIterator[tuple[Any, list[KafkaPartition]]]:
    """A consumer of no group, and all partitions of the topics, which it has."""
    shapes = await topic_shapes(settings, topics)
    partitions = [
        KafkaPartition(topic, number)
        for topic, shape in shapes.items()
        for number in range(shape.partitions if shape else 0)
    ]
    consumer = AIOKafkaConsumer(**settings, isolation_level=isolation, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        yield consumer, partitions
    finally:
        await consumer.stop()


async def _begins(
    settings: Mapping[str, object], topics: Sequence[str]
) -> dict[TopicPartition, int]:
    """The first offset that is still there, by partition."""
    async with _reader(settings, topics, "read_committed") as (consumer, partitions):
        found = await consumer.beginning_offsets(partitions)
        return {TopicPartition(*tp): offset for tp, offset in found.items()}


def _stored(record: Any) -> StoredRecord:  # noqa: ANN401 - aiokafka has no types for it
    return StoredRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ns=record.timestamp * NS_PER_MS,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )


async def _require_topics(settings: Mapping[str, object], topics: Sequence[str]) -> None:
    shapes = await topic_shapes(settings, topics)
    missing = [topic for topic, shape in shapes.items() if shape is None]
    if missing:
        msg = f"topic {', '.join(missing)} does not exist on {settings['bootstrap_servers']}"
        raise ConfigError(msg)


async def _committed(
    settings: Mapping[str, object], group_id: str, topics: Sequence[str]
) -> dict[TopicPartition, int]:
    """Where a group will read on.

    Asked by a consumer, which goes on asking while the group's coordinator moves: aiokafka by itself takes the
    error of such a moment for a group that has stored nothing.
    """
    consumer = AIOKafkaConsumer(group_id=group_id, enable_auto_commit=False, **settings)
    await consumer.start()
    heed_stored_errors(consumer)
    try:
        found = {
            TopicPartition(topic, number): await consumer.committed(KafkaPartition(topic, number))
            for topic, shape in (await topic_shapes(settings, topics)).items()
            for number in range(shape.partitions if shape else 0)
        }
    finally:
        await consumer.stop()
    return {source: at for source, at in found.items() if at is not None}
