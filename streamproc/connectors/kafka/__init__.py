"""Kafka: source, sink and the embedded broker."""

from streamproc.connectors.kafka.connection import check_reachable, client_settings, explained
from streamproc.connectors.kafka.embedded import EmbeddedBroker
from streamproc.connectors.kafka.options import KafkaSink, KafkaSource
from streamproc.connectors.kafka.partitioning import partition_of, rows_by_partition
from streamproc.connectors.kafka.sink import KafkaRecordSink
from streamproc.connectors.kafka.source import KafkaRecordSource
from streamproc.connectors.kafka.topics import TopicShape, cluster_id, create_topics, topic_shapes

__all__ = [
    "EmbeddedBroker",
    "KafkaRecordSink",
    "KafkaRecordSource",
    "KafkaSink",
    "KafkaSource",
    "TopicShape",
    "check_reachable",
    "client_settings",
    "cluster_id",
    "create_topics",
    "explained",
    "partition_of",
    "rows_by_partition",
    "topic_shapes",
]
