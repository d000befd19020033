"""The compacted topics of lookups: read to their ends before the pipeline is ready, and followed from then on."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Final

import numpy as np

from streamproc.codecs import JsonCodec, JsonDecoder
from streamproc.config import PipelineConfig, kafka_source
from streamproc.connectors.kafka import Access, TopicTail
from streamproc.core import NS_PER_MS, Clock, ConfigError, ExternalError, Problem, RecordBatch
from streamproc.engine import PythonFunction
from streamproc.features import KeyedNumbers, Program
from streamproc.features.operators import Lookup

log = logging.getLogger(__name__)

_POLL_NS: Final = 200 * NS_PER_MS
_BACKOFF_S: Final = 5.0


class TableTopic:
    """One lookup's table, as its topic has it.

    Args:
        lookup: the operator.
        table: is changed.
    """

    def __init__(self, lookup: Lookup, table: KeyedNumbers) -> None:
        self.topic = str(lookup.topic)
        self._fields = tuple(lookup.fields)
        self._decoder = JsonDecoder(JsonCodec(dict.fromkeys(self._fields, "float64")))
        self._table = table
        self.unusable_total = 0

    def take(self, batch: RecordBatch) -> None:
        """Change the table as records say; one without a key or with another value changes nothing."""
        keys = [None if key is None else key.decode(errors="replace") for key in batch.key]
        decoded = self._decoder.decode(batch.value)
        numbers = range(len(keys)) if decoded.record is None else decoded.record.tolist()
        matrix = np.stack([decoded.columns[name] for name in self._fields], axis=1)
        rows = dict(zip(numbers, matrix.tolist(), strict=True))
        for number, key in enumerate(keys):
            if key is not None and batch.value[number] is None:
                self._table.remove(key)
            elif key is not None and number in rows:
                self._table.put(key, rows[number])
            else:
                self._unusable(batch, number)

    def _unusable(self, batch: RecordBatch, number: int) -> None:
        if not self.unusable_total:
            log.warning(
                "lookup: %s/%d: the record at %d has no key, or no object with the numbers %s; it is passed over, and so "
                "are others like it",
                *batch.source,
                int(batch.offset[number]),
                ", ".join(self._fields),
            )
        self.unusable_total += 1


class TableTopics:
    """All of a pipeline's; does nothing where there are none.

    Args:
        config: the pipeline.
        clock: the time.
    """

    def __init__(self, config: PipelineConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._tables: list[tuple[str, TableTopic]] = []
        self._tail: TopicTail | None = None

    async def load(self, program: Program | None) -> None:
        """Read those of the operators to their ends.

        Raises:
            ConfigError: one does not exist.
            ExternalError: the cluster cannot be reached.
        """
        self._tables = list(_tables(self._config, program))
        if not self._tables:
            return
        source = kafka_source(self._config, "lookup.topic")
        topics = sorted({table.topic for _, table in self._tables})
        self._tail = tail = TopicTail(Access.of_source(source), topics, source, self._clock)
        await tail.start(since_ns=0)
        for key, table in self._tables:
            if table.topic not in tail.topics:
                raise ConfigError(
                    Problem(f"topic {table.topic!r} does not exist: make it, or name another", key)
                )
        while await tail.left():
            await self._poll(tail)

    async def follow(self) -> None:
        """Take in what changes, until cancelled; a cluster that is away is asked again."""
        while self._tail is not None:
            try:
                await self._poll(self._tail)
            except ExternalError as error:
                log.warning("lookup: %s; trying again", error)
                await asyncio.sleep(_BACKOFF_S)

    async def close(self) -> None:
        """Disconnect."""
        if self._tail is not None:
            await self._tail.stop()

    async def _poll(self, tail: TopicTail) -> None:
        for batch in await tail.poll(timeout_ns=_POLL_NS):
            for _, table in self._tables:
                if table.topic == batch.source.topic:
                    table.take(batch)
            await asyncio.sleep(0)


def _tables(config: PipelineConfig, program: Program | None) -> Iterator[tuple[str, TableTopic]]:
    if program is None or isinstance(config.features, PythonFunction):
        return
    for place, feature in enumerate(config.features):
        if isinstance(feature, Lookup) and feature.topic is not None:
            table = program.tables[feature.as_]
            if isinstance(table, KeyedNumbers):
                yield f"features[{place}].lookup.topic", TableTopic(feature, table)
