"""The topics of a cluster: what there is, and making what is missing."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streamproc.core import ConfigError, Problem


class TopicShape(NamedTuple):
    """How a topic is laid out."""

    partitions: int
    replicas: int


async def topic_shapes(
    settings: Mapping[str, object], topics: Collection[str]
) -> dict[str, TopicShape | None]:
    """How each topic is laid out; None for one that does not exist.

    Raises:
        KafkaError: the broker failed.
    """
    admin = AIOKafkaAdminClient(**settings)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        wanted = [topic for topic in topics if topic in there]
        shapes: dict[str, TopicShape | None] = dict.fromkeys(topics)
        for described in await admin.describe_topics(wanted) if wanted else ():
            partitions = described["partitions"]
            replicas = len(partitions[0]["replicas"])
            shapes[described["topic"]] = TopicShape(len(partitions), replicas)
        return shapes
    finally:
        await admin.close()


async def cluster_id(settings: Mapping[str, object]) -> str:
    """What a cluster calls itself; empty where it does not say.

    Raises:
        KafkaError: the broker failed.
    """
    admin = AIOKafkaAdminClient(**settings)
    await admin.start()
    try:
        return str((await admin.describe_cluster()).get("cluster_id") or "")
    finally:
        await admin.close()


def absent(topics: Collection[str], settings: Mapping[str, object]) -> str:
    """Words for topics that are not there: the broker does not tell them from those that we may not see."""
    text = f"topic {', '.join(topics)} does not exist on {settings['bootstrap_servers']}"
    if settings.get("security_protocol", "PLAINTEXT") == "PLAINTEXT":
        return text
    return f"{text}, or its ACLs do not let this user see it (DESCRIBE, which READ and WRITE bring with them)"


async def create_topics(
    settings: Mapping[str, object],
    shapes: Mapping[str, TopicShape],
    *,
    key: str,
    configs: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Make topics.

    Args:
        settings: of the client.
        shapes: how each is to be laid out.
        key: the configuration's key that names them, for the message.
        configs: their settings, where they are not the broker's own.

    Raises:
        ConfigError: the broker refuses.
        KafkaError: the broker failed.
    """
    admin = AIOKafkaAdminClient(**settings)
    await admin.start()
    try:
        answer = await admin.create_topics(
            [
                NewTopic(topic, *shape, topic_configs=dict(configs))
                for topic, shape in shapes.items()
            ]
        )
    finally:
        await admin.close()
    for topic, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            msg = f"topic {topic!r} does not exist and cannot be made ({error.__name__}): make it, or name another"
            raise ConfigError(Problem(msg, key))
