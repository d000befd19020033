"""Co-partitioned topics: as many partitions, and those of one number are read by one member.

That a key's records have the same number in all of them is for their producers to see to: the same partitioner.
Kafka Streams asks for the same (https://docs.confluent.io/platform/current/streams/developer-guide/dsl-api.html#join-co-partitioning-requirements).
"""

from collections.abc import Collection, Mapping, Sequence

from streamproc.connectors.kafka.topics import topic_shapes
from streamproc.core import ConfigError, Problem, TopicPartition

_KEY = "source.kafka.topics"


async def require_co_partitioned(settings: Mapping[str, object], topics: Sequence[str]) -> None:
    """See that topics have as many partitions as one another.

    Raises:
        ConfigError: they have not.
        KafkaError: the broker failed.
    """
    shapes = await topic_shapes(settings, topics)
    counts = {topic: shape.partitions for topic, shape in shapes.items() if shape is not None}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{topic} has {count}" for topic, count in counts.items())
        text = f"must have as many partitions as one another, so that a key has the same number in all: {told}"
        raise ConfigError(Problem(text, _KEY))


def require_complete(assigned: Collection[TopicPartition], topics: Sequence[str]) -> None:
    """See that the partitions of a number of these topics were assigned together.

    Raises:
        ConfigError: another member of the group has the rest.
    """
    there = set(assigned)
    for number in {source.partition for source in there}:
        missing = [topic for topic in topics if TopicPartition(topic, number) not in there]
        if missing:
            text = (
                f"partition {number} of {', '.join(missing)} is not assigned with those of the other topics: all members "
                "of the group must read the same topics, which must have as many partitions"
            )
            raise ConfigError(Problem(text, _KEY))
