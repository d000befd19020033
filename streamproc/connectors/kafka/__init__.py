"""Kafka: source, sink and the embedded broker."""

from streamproc.connectors.kafka.connection import check_reachable, client_settings, explained
from streamproc.connectors.kafka.embedded import EmbeddedBroker
from streamproc.connectors.kafka.options import KafkaSink, KafkaSource
from streamproc.connectors.kafka.partitioning import partition_of, rows_by_partition
from streamproc.connectors.kafka.producers import Producers
from streamproc.connectors.kafka.sink import KafkaRecordSink
from streamproc.connectors.kafka.source import KafkaRecordSource
from streamproc.connectors.kafka.topics import TopicShape, create_topics, topic_shapes
from streamproc.connectors.kafka.transactional_sink import KafkaTransactionalSink

__all__ = [
    "EmbeddedBroker",
    "KafkaRecordSink",
    "KafkaRecordSource",
    "KafkaSink",
    "KafkaSource",
    "KafkaTransactionalSink",
    "Producers",
    "TopicShape",
    "check_reachable",
    "client_settings",
    "create_topics",
    "explained",
    "partition_of",
    "rows_by_partition",
    "topic_shapes",
]
