"""Fetched records as columns."""

import numpy as np
from aiokafka import TopicPartition as KafkaPartition

from streamproc.connectors.kafka.raw_records import Record
from streamproc.core import NS_PER_MS, Int64Array, RecordBatch, TopicPartition

_TIMESTAMP_MAX_MS = np.iinfo(np.int64).max // NS_PER_MS


def _timestamps_ns(timestamps_ms: list[int]) -> Int64Array:
    """Kafka's milliseconds as ns; those of producers that send microseconds are held, not wrapped."""
    held = np.maximum(np.array(timestamps_ms, np.int64), -1)
    return np.minimum(held, _TIMESTAMP_MAX_MS) * NS_PER_MS


def columns_of(
    tp: KafkaPartition,
    records: list[Record],
    *,
    arrival_ns: int,
    end_position: int,
    behind: int,
) -> RecordBatch:
    """The records of one partition as columns.

    Args:
        tp: the partition.
        records: at least one.
        arrival_ns: when they were fetched.
        end_position: the consumer's position behind them.
        behind: how many are known to follow.
    """
    return RecordBatch(
        source=TopicPartition(tp.topic, tp.partition),
        offset=np.array([r.offset for r in records], np.int64),
        timestamp_ns=_timestamps_ns([r.timestamp for r in records]),
        key=[r.key for r in records],
        value=[r.value for r in records],
        headers={row: headers for row, r in enumerate(records) if (headers := r.headers)},
        arrival_ns=arrival_ns,
        end_position=end_position,
        behind=behind,
        timestamp_type=records[0].timestamp_type or 0,
    )
