"""Reads labels and the decisions that they are about, beside the pipeline: its own way is not touched."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from streamproc.config import PipelineConfig, kafka_sink, kafka_source
from streamproc.connectors.kafka import Access, TopicTail
from streamproc.core import NS_PER_MS, Clock, ConfigError, ExternalError, RecordBatch
from streamproc.slo import LabelCounts, LabelJoin

log = logging.getLogger(__name__)

_POLL_NS: Final = 500 * NS_PER_MS
_BACKOFF_S: Final = 5.0


class LabelTopic:
    """Joins for all objectives with labels; does nothing where there are none.

    Decisions are read again from the sink's topic, from ``within`` before the start on, so that workers need not tell them.
    Labels are read from the start on: what came before was another life's to count.

    Args:
        config: the pipeline.
        clock: the time.
    """

    def __init__(self, config: PipelineConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._joins: dict[str, LabelJoin] = {}
        self._changed = asyncio.Event()
        self._labels_since_ns = clock.now_ns()
        self.change(config)

    @property
    def counts(self) -> Mapping[str, LabelCounts]:
        """What labels said, by objective."""
        return {name: join.counts for name, join in self._joins.items()}

    def change(self, config: PipelineConfig) -> None:
        """Go on with other objectives; those that are joined alike keep what they know."""
        self._config = config
        before, self._joins = self._joins, {}
        for objective in config.slo:
            if objective.labels is not None:
                kept = before.get(objective.name)
                alike = kept is not None and kept.options == objective.labels
                self._joins[objective.name] = (
                    kept if kept is not None and alike else LabelJoin(objective.labels)
                )
        if self._joins != before:
            self._changed.set()

    async def run(self) -> None:
        """Read until cancelled; a cluster that is away is asked again."""
        while True:
            self._changed.clear()
            if not self._joins:
                await self._changed.wait()
                continue
            try:
                await self._read()
            except (ConfigError, ExternalError) as error:
                log.warning("labels: %s; trying again", error)
                await asyncio.sleep(_BACKOFF_S)

    async def _read(self) -> None:
        source = kafka_source(self._config, "slo.labels")
        sink = kafka_sink(self._config, "slo.labels")
        topics = {join.options.topic for join in self._joins.values()}
        longest_ns = max(int(join.options.within) for join in self._joins.values())
        decisions = TopicTail(Access.of_sink(sink, source), [sink.topic], source, self._clock)
        labels = TopicTail(Access.of_source(source), sorted(topics), source, self._clock)
        try:
            await decisions.start(since_ns=self._clock.now_ns() - longest_ns)
            await labels.start(since_ns=self._labels_since_ns)
            came: list[RecordBatch] = []
            while not self._changed.is_set():
                batches = await decisions.poll(timeout_ns=_POLL_NS // 2)
                for batch in batches:
                    for value in batch.value:
                        self._decided(value)
                    await asyncio.sleep(0)
                if any(batch.behind for batch in batches):
                    continue
                # Those that came before these decisions: what a label is about was there before it.
                for batch in came:
                    for value in batch.value:
                        self._labelled(batch.source.topic, value)
                    await asyncio.sleep(0)
                # After a failure they are read on from here; those that come twice are counted once.
                self._labels_since_ns = self._clock.now_ns() - 2 * _POLL_NS
                came = await labels.poll(timeout_ns=_POLL_NS // 2)
        finally:
            await decisions.stop()
            await labels.stop()

    def _decided(self, value: bytes | None) -> None:
        if value is not None:
            for join in self._joins.values():
                join.decided(value, self._clock.now_ns())

    def _labelled(self, topic: str, value: bytes | None) -> None:
        if value is not None:
            for join in self._joins.values():
                if join.options.topic == topic:
                    join.labelled(value, self._clock.now_ns())
