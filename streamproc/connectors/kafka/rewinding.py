"""Where to begin reading again, so that what features remember of keys comes back."""

import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from streamproc.connectors.kafka.connection import stop_within
from streamproc.core import NS_PER_MS, TopicPartition

log = logging.getLogger(__name__)

_FETCH_MS = 1_000
_STOP_S = 5.0
_STEPS_BACK_MAX = 64
"""Records that are looked for before a place: transaction markers and compacted records leave gaps there."""


async def rewound(
    settings: Mapping[str, object],
    positions: Mapping[TopicPartition, int],
    *,
    reach_ns: int,
    now_ns: int,
    together: bool = False,
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
        together: whether partitions of one number share what is remembered: then t is the time of the first of all
            their records from the positions on, since each of them may need what was in any of them; where there is
            none, of the last before.

    Returns:
        by partition, never behind its position.

    Raises:
        KafkaError: the broker failed.
    """
    consumer = AIOKafkaConsumer(
        **{**settings, "group_id": None, "enable_auto_commit": False, "auto_offset_reset": "none"}
    )
    try:
        await consumer.start()
        places = {KafkaPartition(*source): at for source, at in positions.items()}
        begin = await consumer.beginning_offsets(list(places))
        consumer.assign(list(places))
        consumer.pause(*places)
        asked: dict[KafkaPartition, int] = {}
        made_ms = {
            tp: await _made_before_ms(consumer, tp, at, begin[tp]) for tp, at in places.items()
        }
        if together:
            ends = await consumer.end_offsets(list(places))
            first_ms = {
                tp: await _made_at_ms(consumer, tp, at, ends[tp]) for tp, at in places.items()
            }
            made_ms = _shared(made_ms, first_ms)
        for tp, at_ms in made_ms.items():
            if at_ms is not None:
                newest_ms = min(at_ms, now_ns // NS_PER_MS)
                asked[tp] = max(0, newest_ms - -(-reach_ns // NS_PER_MS))
        found = await consumer.offsets_for_times(asked) if asked else {}
    finally:
        # Bounded: a revocation waits for it, and a member that stays in its callbacks is put out of the group.
        await stop_within(consumer.stop(), "source.kafka: the consumer that looks back", _STOP_S)
    starts = dict(positions)
    for tp, first in found.items():
        source = TopicPartition(*tp)
        if first is not None:
            starts[source] = max(begin[tp], min(first.offset, starts[source]))
    return starts


def _shared(
    before_ms: Mapping[KafkaPartition, int | None], first_ms: Mapping[KafkaPartition, int | None]
) -> dict[KafkaPartition, int | None]:
    """For each partition what counts of all that have its number."""
    found: dict[KafkaPartition, int | None] = {}
    for tp in before_ms:
        firsts = [
            ms for o, ms in first_ms.items() if o.partition == tp.partition and ms is not None
        ]
        lasts = [
            ms for o, ms in before_ms.items() if o.partition == tp.partition and ms is not None
        ]
        found[tp] = min(firsts, default=None) if firsts else max(lasts, default=None)
    return found


async def _made_at_ms(
    consumer: AIOKafkaConsumer, tp: KafkaPartition, position: int, end: int
) -> int | None:
    """The timestamp of the first record from a position on; None where there is none."""
    if position >= end:
        return None
    consumer.resume(tp)
    try:
        consumer.seek(tp, position)
        records = (await consumer.getmany(tp, timeout_ms=_FETCH_MS, max_records=1)).get(tp)
    finally:
        consumer.pause(tp)
    return int(records[0].timestamp) if records else None


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
