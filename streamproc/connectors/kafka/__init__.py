"""Kafka: source, sink and the embedded broker."""

from streamproc.connectors.kafka.addresses import address_of
from streamproc.connectors.kafka.changelog_topic import prepare_changelog, read_changelog
from streamproc.connectors.kafka.connection import Access, check_reachable
from streamproc.connectors.kafka.embedded import EmbeddedBroker
from streamproc.connectors.kafka.options import KafkaSink, KafkaSource
from streamproc.connectors.kafka.partitioning import partition_of, rows_by_partition
from streamproc.connectors.kafka.producers import Producers
from streamproc.connectors.kafka.recovering import RecoveringSource
from streamproc.connectors.kafka.renewal import FIXED, Renewable, fingerprint, try_out
from streamproc.connectors.kafka.security import OTHER_NAMES, named
from streamproc.connectors.kafka.security import problems as security_problems
from streamproc.connectors.kafka.sink import KafkaRecordSink
from streamproc.connectors.kafka.source import KafkaRecordSource
from streamproc.connectors.kafka.stored_errors import heed_stored_errors
from streamproc.connectors.kafka.tail import TopicTail
from streamproc.connectors.kafka.topic_writer import TopicWriter
from streamproc.connectors.kafka.topics import (
    TopicShape,
    absent,
    cluster_id,
    create_topics,
    topic_shapes,
)
from streamproc.connectors.kafka.transactional_sink import KafkaTransactionalSink
from streamproc.connectors.kafka.unread import Unread

__all__ = [
    "FIXED",
    "OTHER_NAMES",
    "Access",
    "EmbeddedBroker",
    "KafkaRecordSink",
    "KafkaRecordSource",
    "KafkaSink",
    "KafkaSource",
    "KafkaTransactionalSink",
    "Producers",
    "RecoveringSource",
    "Renewable",
    "TopicShape",
    "TopicTail",
    "TopicWriter",
    "Unread",
    "absent",
    "address_of",
    "check_reachable",
    "cluster_id",
    "create_topics",
    "fingerprint",
    "heed_stored_errors",
    "named",
    "partition_of",
    "prepare_changelog",
    "read_changelog",
    "rows_by_partition",
    "security_problems",
    "topic_shapes",
    "try_out",
]
