"""Brings back what features remembered of partitions, from the changelog."""

import logging
from collections.abc import Mapping, Sequence

from streamproc.config import PipelineConfig, kafka_sink, kafka_source
from streamproc.connectors.kafka import Access, prepare_changelog, read_changelog
from streamproc.core import (
    NS_PER_S,
    Clock,
    ConfigError,
    Problem,
    Recalling,
    Source,
    TopicPartition,
)
from streamproc.engine import Changelog, ChangelogReading
from streamproc.runtime.assembly import Assembly

log = logging.getLogger(__name__)


class ChangelogRecall:
    """Reads a changelog's partitions, and hands what they say to whoever takes the source's partitions over.

    Args:
        config: names the topic and the clusters.
        changelog: is given what is recalled.
        clock: for how long it takes.
    """

    def __init__(self, config: PipelineConfig, changelog: Changelog, clock: Clock) -> None:
        source = kafka_source(config, "state.changelog")
        self._inputs = source.topics
        self._source_access = Access.of_source(source)
        self._access = Access.of_sink(kafka_sink(config, "state.changelog"), source)
        self._changelog = changelog
        self._clock = clock

    async def prepare(self) -> None:
        """See that the topic is there.

        Raises:
            ConfigError: it cannot be made, or is no topic for this.
            ExternalError: the cluster cannot be reached.
        """
        await self._access.check_reachable()
        await prepare_changelog(
            self._access,
            self._changelog.topic,
            source_access=self._source_access,
            inputs=self._inputs,
        )

    async def __call__(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """See ``core.Recall``."""
        began_ns, changelog = self._clock.now_ns(), self._changelog
        readings = {
            source: ChangelogReading(source, layout=changelog.layout) for source in positions
        }

        def take(number: int, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> None:
            changelog.read_total += len(keys)
            for source, reading in readings.items():
                if source.partition == number:
                    reading.take(keys, values)

        numbers = {source.partition for source in positions}
        await read_changelog(self._access, changelog.topic, numbers, take)
        recalled = {s: reading.recalled(positions[s]) for s, reading in readings.items()}
        changelog.recalled.update(recalled)
        changelog.read_ns = self._clock.now_ns() - began_ns
        log.info(
            "%s: recalled %d keys of %d partitions in %.1f s",
            changelog.topic,
            sum(len(one.rows) for one in recalled.values()),
            len(recalled),
            changelog.read_ns / NS_PER_S,
        )
        return {source: one.position for source, one in recalled.items()}


def begin_changelog(
    config: PipelineConfig, assembly: Assembly, source: Source, clock: Clock
) -> ChangelogRecall | None:
    """Let what is remembered be written down, and brought back; None where nobody asked.

    Raises:
        ConfigError: the source cannot wait for it.
    """
    changelog = assembly.changelog
    if changelog is None:
        return None
    if not isinstance(source, Recalling):
        msg = f"a changelog needs a source that waits until it is read, not {source}"
        raise ConfigError(Problem(msg, "state.changelog"))
    recall = ChangelogRecall(config, changelog, clock)
    assembly.engine.changelog = changelog
    source.recall = recall
    return recall
