"""Where to begin reading again, so that what features remember of keys comes back."""

import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from streamproc.core import NS_PER_MS, TopicPartition

log = logging.getLogger(__name__)

_FETCH_MS = 1_000
_STEPS_BACK_MAX = 64
"""Records that are looked for before a place: transaction markers and compacted records leave gaps there."""


async def rewound(
    settings: Mapping[str, object],
    positions: Mapping[TopicPartition, int],
    *,
    reach_ns: int,
    now_ns: int,
) -> dict[TopicPartition, int]:
    """The offset of the first record that still matters to those from a position on.

    Let the last record before the position have been made at t. An event from the position on that is not too late
    happened after t less the grace, and its windows hold nothing older than that less their length; with ``reach_ns``
    the sum of the two, all that they hold lies at or behind the first record made at t less ``reach_ns`` or later.

    Args:
        settings: of the client.
        positions: by partition, where deciding begins.
        reach_ns: how much older than the last record before that a record may be and still matter.
        now_ns: the present instant: a record that says it was made later is wrong, and counts as made now.

    Returns:
        by partition, never behind its position.

    Raises:
        KafkaError: the broker failed.
    """
    consumer = AIOKafkaConsumer(
        **{**settings, "group_id": None, "enable_auto_commit": False, "auto_offset_reset": "none"}
    )
    await consumer.start()
    try:
        places = {KafkaPartition(*source): at for source, at in positions.items()}
        begin = await consumer.beginning_offsets(list(places))
        consumer.assign(list(places))
        consumer.pause(*places)
        asked: dict[KafkaPartition, int] = {}
        for tp, at in places.items():
            made_ms = await _made_before_ms(consumer, tp, at, begin[tp])
            if made_ms is not None:
                newest_ms = min(made_ms, now_ns // NS_PER_MS)
                asked[tp] = max(0, newest_ms - -(-reach_ns // NS_PER_MS))
        found = await consumer.offsets_for_times(asked) if asked else {}
    finally:
        await consumer.stop()
    starts = dict(positions)
    for tp, first in found.items():
        source = TopicPartition(*tp)
        if first is not None:
            starts[source] = max(begin[tp], min(first.offset, starts[source]))
    return starts


async def _made_before_ms(
    consumer: AIOKafkaConsumer, tp: KafkaPartition, position: int, begin: int
) -> int | None:
    """The timestamp of a record right before a position; None where there is none."""
    back = 1
    consumer.resume(tp)
    try:
        while position > begin and back <= _STEPS_BACK_MAX:
            consumer.seek(tp, max(begin, position - back))
            records = (await consumer.getmany(tp, timeout_ms=_FETCH_MS, max_records=1)).get(tp)
            if records:
                made_ms: int = records[0].timestamp
                return made_ms
            back *= 2  # markers only, up to the end of the log
    finally:
        consumer.pause(tp)
    return None
