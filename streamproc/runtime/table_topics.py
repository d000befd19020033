"""The compacted topics of lookups: read to their ends before the pipeline is ready, and followed from then on."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from streamproc.codecs import JsonCodec, JsonDecoder
from streamproc.config import PipelineConfig, kafka_source
from streamproc.connectors.kafka import Access, TopicTail
from streamproc.core import (
    NS_PER_MS,
    Clock,
    ConfigError,
    ExternalError,
    Problem,
    RecordBatch,
    TableRows,
)
from streamproc.features import FedTable, KeyedNumbers, Program, Table, TableFeed
from streamproc.runtime.lookup_tables import topic_lookups

log = logging.getLogger(__name__)

_POLL_NS: Final = 200 * NS_PER_MS
_BACKOFF_S: Final = 5.0

TakeRows = Callable[[TableRows], None]


class TableTopic:
    """What the records of one lookup's topic mean.

    Args:
        fed: the table that they change; only looked at for what it is.
    """

    def __init__(self, fed: FedTable) -> None:
        self._fed = fed
        self._fields = fed.told.fields
        self._decoder = JsonDecoder(JsonCodec(dict.fromkeys(self._fields, "float64")))
        self.unusable_total = 0

    @property
    def topic(self) -> str:
        """Its name."""
        return self._fed.told.topic

    def rows(self, batch: RecordBatch, seen_ns: int) -> TableRows:
        """What records change; one without a key or with another value changes nothing.

        Args:
            batch: of the topic.
            seen_ns: what arrives later sees it.
        """
        decoded = self._decoder.decode(batch.value)
        usable = range(len(batch)) if decoded.record is None else decoded.record.tolist()
        matrix = np.stack([decoded.columns[name] for name in self._fields], axis=1)
        place_of = {number: place for place, number in enumerate(usable)}
        keys: list[str] = []
        places: list[int] = []
        for number, key in enumerate(batch.key):
            gone = batch.value[number] is None
            if key is None or not (gone or number in place_of):
                self._unusable(batch, number)
                continue
            keys.append(key.decode(errors="replace"))
            places.append(-1 if gone else place_of[number])
        place = np.array(places, np.int64)
        numbers = np.zeros((len(keys), len(self._fields)))
        numbers[place >= 0] = matrix[place[place >= 0]]
        told = self._fed.told
        return TableRows(
            name=told.name,
            topic=told.topic,
            fields=told.fields,
            keys_max=told.keys_max,
            seen_ns=seen_ns,
            keys=keys,
            there=place >= 0,
            numbers=numbers,
            positions={batch.source.partition: batch.end_position},
        )

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

    Attributes:
        feed: what events see of the tables; None where there are none, and before ``load``.
        record: is told of each change; None tells nobody.
    """

    def __init__(self, config: PipelineConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._topics: list[TableTopic] = []
        self._tail: TopicTail | None = None
        self.feed: TableFeed | None = None
        self.record: TakeRows | None = None

    async def load(self, program: Program | None) -> None:
        """Read them to their ends.

        Args:
            program: whose tables are filled; None fills tables that nobody looks into.

        Raises:
            ConfigError: one does not exist.
            ExternalError: the cluster cannot be reached.
        """
        fed = fed_tables(self._config, None if program is None else program.tables)
        if not fed:
            return
        feed = TableFeed(fed)
        self._topics = [TableTopic(one) for one in fed.values()]
        source = kafka_source(self._config, "lookup.topic")
        topics = sorted({table.topic for table in self._topics})
        self._tail = tail = TopicTail(Access.of_source(source), topics, source, self._clock)
        await tail.start(since_ns=0)
        for key, lookup in topic_lookups(self._config):
            if lookup.topic not in tail.topics:
                text = f"topic {lookup.topic!r} does not exist: make it, or name another"
                raise ConfigError(Problem(text, f"{key}.topic"))
        while await tail.left():
            await self._poll(tail, feed.add)
            feed.advance(self._clock.now_ns())
        feed.begin(self._clock.now_ns())
        self.feed = feed

    def all_told(self) -> Iterator[TableRows]:
        """All that the tables hold now, and what no event has seen yet."""
        if self.feed is not None:
            yield from self.feed.all_told()

    def advance(self, before_ns: int) -> None:
        """What was heard of before an instant is seen from now on."""
        if self.feed is not None:
            self.feed.advance(before_ns)

    async def follow(self) -> None:
        """Take in what changes, until cancelled; a cluster that is away is asked again."""
        while self._tail is not None and self.feed is not None:
            try:
                await self._poll(self._tail, self._changed)
            except ExternalError as error:
                log.warning("lookup: %s; trying again", error)
                await asyncio.sleep(_BACKOFF_S)

    async def close(self) -> None:
        """Disconnect."""
        if self._tail is not None:
            await self._tail.stop()

    def _changed(self, rows: TableRows) -> None:
        if self.record is not None:
            self.record(rows)
        if self.feed is not None:
            self.feed.add(rows)

    async def _poll(self, tail: TopicTail, take: TakeRows) -> None:
        for batch in await tail.poll(timeout_ns=_POLL_NS):
            for table in self._topics:
                if table.topic == batch.source.topic:
                    take(table.rows(batch, self._clock.now_ns()))
            await asyncio.sleep(0)


def fed_tables(
    config: PipelineConfig, tables: Mapping[str, Table] | None = None
) -> dict[str, FedTable]:
    """The tables of lookups that change, by their names.

    Args:
        config: the pipeline.
        tables: what its lookups look into; None makes others.
    """
    found: dict[str, FedTable] = {}
    for _, lookup in topic_lookups(config):
        fields, name = tuple(lookup.fields), lookup.as_
        table = None if tables is None else tables.get(name)
        if not isinstance(table, KeyedNumbers):
            table = KeyedNumbers(len(fields), keys_max=lookup.max_keys)
        found[name] = FedTable.of(table, name, str(lookup.topic), fields, lookup.max_keys)
    return found
