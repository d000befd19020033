"""What features remembered, brought back from a changelog in the broker in memory."""

from collections.abc import Mapping

from streamproc.core import TopicPartition
from streamproc.engine import Changelog, ChangelogReading
from streamproc.testing.broker import MemoryBroker


def recall_from(
    broker: MemoryBroker, changelog: Changelog, positions: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Read what is written of partitions, as ``core.Recall`` does."""
    starts = {}
    for source, committed in positions.items():
        reading = ChangelogReading(source, layout=changelog.layout)
        records = broker.records(changelog.topic, source.partition)
        reading.take([r.key for r in records], [r.value for r in records])
        changelog.recalled[source] = recalled = reading.recalled(committed)
        starts[source] = recalled.position
    return starts
