"""Topics made, filled and read back, with librdkafka: a client that streamproc itself does not use."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Message(NamedTuple):
    """A record to send; ``partition`` -1 lets the key decide, ``timestamp_ms`` 0 means now."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int = -1
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in a topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


CREDENTIALS: dict[str, dict[str, Any]] = {}
"""Settings of librdkafka for brokers that let nobody in without, by their address."""


def _client(bootstrap: str) -> dict[str, Any]:
    settings = CREDENTIALS.get(bootstrap, {})
    return {"bootstrap.servers": bootstrap, "log_level": 4, **settings}  # warnings, no news


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient(_client(bootstrap))


def create_topics(
    bootstrap: str,
    *names: str,
    partitions: int = 4,
    replication: int = 1,
    config: Mapping[str, str] | None = None,
) -> None:
    """Make topics, and wait until each partition has a leader.

    Args:
        bootstrap: the broker.
        names: the topics.
        partitions: of each.
        replication: on how many brokers each of them is.
        config: of each, such as ``{"message.timestamp.type": "LogAppendTime"}`` or ``{"cleanup.policy": "compact"}``.

    Raises:
        KafkaException: the broker refused, for instance as the topic is there already.
    """
    topics = [NewTopic(name, partitions, replication, config=dict(config or {})) for name in names]
    admin = _admin(bootstrap)  # kept by name: its answers end with it
    for made in admin.create_topics(topics).values():
        made.result()
    for name in names:
        wait_until(f"leaders of {name}", lambda name=name: end_offsets(bootstrap, name))


def delete_topics(bootstrap: str, *names: str) -> None:
    """Remove topics.

    Raises:
        KafkaException: the broker refused, for instance as there is no such topic.
    """
    admin = _admin(bootstrap)
    for removed in admin.delete_topics(list(names)).values():
        removed.result()


def has_topic(bootstrap: str, name: str) -> bool:
    """Whether there is such a topic."""
    return name in _admin(bootstrap).list_topics(timeout=10).topics


def add_partitions(bootstrap: str, name: str, total: int) -> None:
    """Let a topic have so many partitions, and wait until each has a leader."""
    admin = _admin(bootstrap)
    for made in admin.create_partitions([NewPartitions(name, total)]).values():
        made.result()
    wait_until(f"leaders of {name}", lambda: len(end_offsets(bootstrap, name)) == total)


def delete_records(bootstrap: str, topic: str, before: Mapping[int, int]) -> None:
    """Delete records, as retention does.

    Args:
        bootstrap: the brokers.
        topic: of which topic.
        before: by partition, the first offset that stays.
    """
    admin = _admin(bootstrap)
    places = [TopicPartition(topic, number, offset) for number, offset in before.items()]
    for deleted in admin.delete_records(places).values():
        deleted.result()


def delete_group(bootstrap: str, group: str) -> None:
    """Forget a group that has no members, and what it has committed."""
    admin = _admin(bootstrap)
    admin.delete_consumer_groups([group])[group].result()


def end_offsets(bootstrap: str, topic: str, admin: AdminClient | None = None) -> dict[int, int]:
    """Partition to the offset behind its last committed record.

    Args:
        bootstrap: the broker.
        topic: the topic.
        admin: a client to use again; a new one otherwise.

    Raises:
        KafkaException: there is no such topic.
    """
    admin = admin or _admin(bootstrap)
    found = admin.list_topics(topic, timeout=10).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in found.partitions}
    answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED)
    return {place.partition: answer.result().offset for place, answer in answers.items()}


def fill(
    bootstrap: str,
    topic: str,
    messages: Iterable[Message],
    settings: Mapping[str, Any] | None = None,
) -> int:
    """Send messages as fast as it goes, wait until the broker has them all, and give back how many.

    Args:
        bootstrap: the broker.
        topic: an existing topic.
        messages: what to send.
        settings: of librdkafka's producer, such as ``{"compression.type": "lz4"}``.

    Raises:
        KafkaException: a message was not delivered.
    """
    failures: list[KafkaError] = []
    producer = Producer(
        {
            **_client(bootstrap),
            "linger.ms": 5,
            "max.in.flight": 1,  # keeps the order; an idempotent producer would take half a second to start
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: failures.append(error),
            **(settings or {}),
        }
    )
    count = 0
    for message in messages:
        value, key, headers, partition, timestamp_ms = message
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    key,
                    partition=partition,
                    timestamp=timestamp_ms,
                    headers=list(headers) or None,
                )
                break
            except BufferError:  # the queue is full: let it drain
                producer.poll(0.05)
        count += 1
    left = producer.flush(60)
    if failures:
        raise KafkaException(failures[0])
    if left:
        msg = f"{left} of {count} messages to {topic} are not delivered after 60 s"
        raise TimeoutError(msg)
    return count


def stream(
    bootstrap: str, topic: str, *, at_least: int = 0, timeout_s: float = 30.0
) -> Iterator[Any]:
    """Each committed message of a topic from its beginning, as librdkafka's ``Message``: for large topics.

    It ends where all partitions are read to their ends and ``at_least`` messages were seen.

    Raises:
        TimeoutError: that did not come to pass in time.
        KafkaException: the broker refused.
    """
    consumer = Consumer(
        {
            **_client(bootstrap),
            "group.id": "tests-reading",  # required, and without effect: nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",  # where retention removed offset 0
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        unread = set(end_offsets(bootstrap, topic))
        # Offset 0 rather than OFFSET_BEGINNING, which asks the broker first and takes half a second.
        consumer.assign([TopicPartition(topic, number, 0) for number in unread])
        end = time.monotonic() + timeout_s
        seen = 0
        while unread or seen < at_least:
            if time.monotonic() > end:
                msg = f"{topic}: {seen} records after {timeout_s:g} s, expected {at_least}; unread partitions: {unread or 'none'}"
                raise TimeoutError(msg)
            for message in consumer.consume(10_000, 0.05):
                error = message.error()
                if error is None:
                    unread.add(message.partition())
                    seen += 1
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def read(bootstrap: str, topic: str, *, at_least: int = 0, timeout_s: float = 30.0) -> list[Record]:
    """All committed records of a topic, by partition and offset; waits for ``at_least`` of them.

    Raises:
        TimeoutError: they were not there in time.
        KafkaException: the broker refused.
    """
    records = [
        Record(
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            timestamp_ms=message.timestamp()[1],
            key=message.key(),
            value=message.value(),
            headers=tuple(message.headers() or ()),
        )
        for message in stream(bootstrap, topic, at_least=at_least, timeout_s=timeout_s)
    ]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def committed(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Partition to the group's committed offset; partitions without one are left out."""
    consumer = Consumer({**_client(bootstrap), "group.id": group})
    try:
        places = [TopicPartition(topic, number) for number in end_offsets(bootstrap, topic)]
        found = consumer.committed(places, timeout=10)
    finally:
        consumer.close()
    return {place.partition: place.offset for place in found if place.offset >= 0}


def members(bootstrap: str, group: str) -> dict[str, set[int]]:
    """The members of a group by their instance id, or their member id, and the partitions that each has."""
    admin = _admin(bootstrap)  # kept: without it the answer would never come
    found = admin.describe_consumer_groups([group], request_timeout=10)[group].result(20)
    return {
        member.group_instance_id or member.member_id: {
            tp.partition for tp in member.assignment.topic_partitions
        }
        for member in found.members
    }


def coordinator(bootstrap: str, group: str) -> int:
    """The id of the broker that coordinates a group."""
    admin = _admin(bootstrap)
    found = admin.describe_consumer_groups([group], request_timeout=10)[group].result(20)
    return int(found.coordinator.id)
