"""Makes the source's consumer."""

import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from streamproc.connectors.kafka.options import KafkaSource
from streamproc.connectors.kafka.raw_records import RawLists
from streamproc.core import NS_PER_MS

log = logging.getLogger(__name__)

REBALANCE_TIMEOUT_MS = 60_000
"""How long the group waits for a member to finish its work; aiokafka's default is the session timeout."""
FETCH_MAX_BYTES = 32 << 20
"""Of one fetch response: more than a second's work, and a bound on memory for each broker."""


def consumer_of(
    options: KafkaSource,
    settings: Mapping[str, object],
    *,
    group_id: str,
    lists: RawLists | None,
    together: bool = False,
) -> AIOKafkaConsumer:
    """A consumer of a group; not started.

    Args:
        options: what the user set.
        settings: of the cluster; see ``Access``.
        group_id: the group.
        lists: takes the records as lists; None where they come one by one.
        together: whether a member must have the partitions of one number of all topics.
    """
    session_ms = int(options.session_timeout) // NS_PER_MS
    return AIOKafkaConsumer(
        **{
            **settings,
            "group_id": group_id,
            "group_instance_id": options.group_instance_id,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": options.isolation_level,
            "session_timeout_ms": session_ms,
            "heartbeat_interval_ms": max(session_ms // 4, 100),
            "rebalance_timeout_ms": REBALANCE_TIMEOUT_MS,
            "fetch_max_wait_ms": int(options.fetch_max_wait) // NS_PER_MS,
            "fetch_max_bytes": FETCH_MAX_BYTES,
            "max_partition_fetch_bytes": int(options.max_partition_fetch),
            "key_deserializer": lists,
            # The one that gives a member the same numbers of each topic, where all have as many.
            **({"partition_assignment_strategy": (RangePartitionAssignor,)} if together else {}),
            **options.client,
        }
    )


async def go_on_behind_retention(consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> int:
    """Records were deleted before they were read: go on with the earliest; gives how many are gone."""
    skipped = 0
    for tp in consumer.assignment() & set(error.args[0]):
        wanted = error.args[0][tp]
        try:
            earliest = (await consumer.beginning_offsets([tp]))[tp]
            consumer.seek(tp, earliest)
        except (IllegalStateError, KafkaError) as failure:
            log.warning("source.kafka: %s/%d: %r, trying again", *tp, failure)
            continue
        gone = max(0, earliest - wanted)
        skipped += gone
        why = "retention" if gone else "it lies beyond the end: was the topic made anew?"
        log.error(
            "%s/%d: offset %d is not there (%s): %d records skipped, going on with %d",
            *tp,
            wanted,
            why,
            gone,
            earliest,
        )
    return skipped
