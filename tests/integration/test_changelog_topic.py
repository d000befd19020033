"""The changelog's topic on a real broker: made as it must be, refused where it is not, read to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from streamproc.connectors.kafka import Access, KafkaSource, prepare_changelog, read_changelog
from streamproc.core import ConfigError
from tests.support.kafka import Message, create_topics, fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.kafka import KafkaBroker


def test_it_is_made_compacted_and_anything_else_is_refused(
    kafka: KafkaBroker, topic_name: str
) -> None:
    access = Access.of_source(KafkaSource(topics=(topic_name,), bootstrap_servers=kafka.bootstrap))
    create_topics(kafka.bootstrap, topic_name, partitions=3)
    create_topics(kafka.bootstrap, f"{topic_name}-1", partitions=1)
    create_topics(kafka.bootstrap, f"{topic_name}-old", partitions=3)

    def prepare(topic: str, *inputs: str) -> None:
        asyncio.run(
            prepare_changelog(access, topic, source_access=access, inputs=inputs or [topic_name])
        )

    prepare(f"{topic_name}-state")
    prepare(f"{topic_name}-state")  # another worker's
    with pytest.raises(ConfigError, match=r"cleanup\.policy=delete"):
        prepare(f"{topic_name}-old")
    with pytest.raises(ConfigError, match="has 1 partitions, and the source's 3"):
        prepare(f"{topic_name}-1")
    with pytest.raises(ConfigError, match="equally many partitions"):
        prepare(f"{topic_name}-new", topic_name, f"{topic_name}-1")

    fill(
        kafka.bootstrap,
        f"{topic_name}-state",
        [Message(b"v%d" % n, b"k%d" % n, partition=n % 2) for n in range(5_000)],
    )
    found: dict[int, list[bytes | None]] = {}

    def take(number: int, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> None:
        assert len(keys) == len(values)
        found.setdefault(number, []).extend(values)

    asyncio.run(read_changelog(access, f"{topic_name}-state", [0, 1, 2], take))
    assert found == {part: [b"v%d" % n for n in range(part, 5_000, 2)] for part in (0, 1)}
