"""Real Apache Kafka, one broker or three, and what tests do with its topics.

The helpers are synchronous: an ``async`` test calls those that wait by ``asyncio.to_thread``.
"""

from tests.support.kafka.access import allowed_all, denied
from tests.support.kafka.broker import (
    BENCH_JVM,
    SMALL_JVM,
    KafkaBroker,
    kafka_version,
    why_unavailable,
)
from tests.support.kafka.cluster import KafkaCluster
from tests.support.kafka.topics import (
    Message,
    Record,
    add_partitions,
    committed,
    coordinator,
    create_topics,
    delete_group,
    delete_records,
    delete_topics,
    end_offsets,
    fill,
    has_topic,
    members,
    read,
    stream,
)

__all__ = [
    "BENCH_JVM",
    "SMALL_JVM",
    "KafkaBroker",
    "KafkaCluster",
    "Message",
    "Record",
    "add_partitions",
    "allowed_all",
    "committed",
    "coordinator",
    "create_topics",
    "delete_group",
    "delete_records",
    "delete_topics",
    "denied",
    "end_offsets",
    "fill",
    "has_topic",
    "kafka_version",
    "members",
    "read",
    "stream",
    "why_unavailable",
]
