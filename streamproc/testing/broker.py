"""A broker in memory: topics with partitions, offsets with gaps, keys, headers, groups and commits."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec

from streamproc.connectors.kafka import partition_of
from streamproc.core import Clock, ConfigError, Headers, TopicPartition, VirtualClock
from streamproc.testing.groups import Group

Payload = bytes | str | Mapping[str, object] | None
"""What may be produced: bytes as they are, text as UTF-8, a mapping as JSON, None as a tombstone."""

_NO_TOPICS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the broker holds it.

    Attributes:
        topic: its topic.
        partition: its partition.
        offset: its offset.
        timestamp_ns: its timestamp, ns since 1970.
        key: its key; None where it has none.
        value: its value; None for a tombstone.
        headers: its headers in order.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ns: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def id(self) -> str:
        """``topic/partition/offset``: how decisions and letters name it."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def header(self, name: str) -> bytes | None:
        """The last header of this name; None where there is none."""
        return dict(self.headers).get(name)

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The value as JSON.

        Raises:
            ValueError: the value is null or no JSON.
        """
        return msgspec.json.decode(self.value or b"")


@dataclass(slots=True)
class _Log:
    """One partition: records by offset; offsets without a record are gaps."""

    records: list[StoredRecord] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def place(self, offset: int) -> int:
        """The place of the first record from this offset on."""
        return bisect_left(self.records, offset, key=lambda record: record.offset)


class MemoryBroker:
    """Holds topics and the groups that read them; belongs to one thread.

    Args:
        topics: partitions by topic.
        clock: for the timestamps of what is produced without one; a ``VirtualClock`` by default.
    """

    def __init__(
        self, topics: Mapping[str, int] = _NO_TOPICS, *, clock: Clock | None = None
    ) -> None:
        self.clock: Clock = clock or VirtualClock()
        self._logs: dict[str, list[_Log]] = {}
        self._groups: dict[str, Group] = {}
        self._turns: dict[str, Iterator[int]] = {}
        self._watchers: list[Callable[[], None]] = []
        for topic, partitions in topics.items():
            self.create_topic(topic, partitions)

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Make a topic.

        Raises:
            ValueError: it is there already, or has no partition.
        """
        if topic in self._logs or partitions < 1:
            msg = f"topic {topic!r} is there already, or {partitions} is less than one partition"
            raise ValueError(msg)
        self._logs[topic] = [_Log() for _ in range(partitions)]
        self._turns[topic] = count()

    def has_topic(self, topic: str) -> bool:
        """True where the topic was made."""
        return topic in self._logs

    def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic, in order.

        Raises:
            ConfigError: there is no such topic.
        """
        return [TopicPartition(topic, number) for number in range(len(self._topic(topic)))]

    def produce(
        self,
        topic: str,
        value: Payload,
        *,
        key: bytes | str | None = None,
        partition: int | None = None,
        timestamp_ns: int | None = None,
        headers: Headers | Mapping[str, bytes | str | None] = (),
    ) -> StoredRecord:
        """Append a record.

        Args:
            topic: where to.
            value: bytes, text, a mapping that becomes JSON, or None for a tombstone.
            key: bytes or text.
            partition: which partition; by default murmur2 of the key, as Kafka's clients do, or each in
                turn for records without a key.
            timestamp_ns: its timestamp; now by default.
            headers: pairs, or a mapping.

        Returns:
            the record as it is stored.

        Raises:
            ConfigError: there is no such topic.
            ValueError: there is no such partition.
        """
        logs = self._topic(topic)
        raw_key = key.encode() if isinstance(key, str) else key
        if partition is None:
            partition = (
                next(self._turns[topic]) % len(logs)
                if raw_key is None
                else partition_of(raw_key, len(logs))
            )
        log = self._log(TopicPartition(topic, partition))
        record = StoredRecord(
            topic,
            partition,
            log.end,
            self.clock.now_ns() if timestamp_ns is None else timestamp_ns,
            raw_key,
            _encoded(value),
            _pairs(headers),
        )
        log.records.append(record)
        log.end += 1
        self._changed()
        return record

    def skip(self, topic: str, partition: int = 0, *, offsets: int = 1) -> None:
        """Use up offsets without a record, as transaction markers and compaction do."""
        self._log(TopicPartition(topic, partition)).end += offsets
        self._changed()

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records before an offset, as retention does."""
        log = self._log(TopicPartition(topic, partition))
        del log.records[: log.place(offset)]
        log.start = max(log.start, min(offset, log.end))
        self._changed()

    def compact(self, topic: str, partition: int, *offsets: int) -> None:
        """Take single records away, as compaction does; their offsets stay used."""
        log = self._log(TopicPartition(topic, partition))
        log.records = [record for record in log.records if record.offset not in offsets]

    def records(self, topic: str, partition: int | None = None) -> list[StoredRecord]:
        """The records of a topic, partition by partition; of one partition where it is named."""
        logs = self._topic(topic)
        chosen = logs if partition is None else [self._log(TopicPartition(topic, partition))]
        return [record for log in chosen for record in log.records]

    def read(self, source: TopicPartition, position: int, records_max: int) -> list[StoredRecord]:
        """At most so many records of a partition from a position on."""
        log = self._log(source)
        place = log.place(position)
        return log.records[place : place + records_max]

    def next_position(self, source: TopicPartition, position: int) -> int:
        """The offset of the next record from a position on; the end where none is there."""
        log = self._log(source)
        place = log.place(position)
        return log.records[place].offset if place < len(log.records) else max(position, log.end)

    def position_at(self, source: TopicPartition, timestamp_ns: int) -> int:
        """The offset of the first record whose timestamp is not before this one; the end where none is."""
        log = self._log(source)
        young = (r.offset for r in log.records if r.timestamp_ns >= timestamp_ns)
        return next(young, log.end)

    def start_position(self, source: TopicPartition) -> int:
        """The first offset that is still there."""
        return self._log(source).start

    def end_position(self, source: TopicPartition) -> int:
        """The offset behind the last one that is used."""
        return self._log(source).end

    def group(self, name: str) -> Group:
        """A consumer group; made when it is first asked for."""
        return self._groups.setdefault(name, Group(name))

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """What a group has committed."""
        return dict(self.group(group).committed)

    def watch(self, changed: Callable[[], None]) -> None:
        """Call this whenever something was appended."""
        self._watchers.append(changed)

    def _topic(self, topic: str) -> list[_Log]:
        try:
            return self._logs[topic]
        except KeyError:
            known = ", ".join(self._logs) or "none"
            msg = f"topic {topic} does not exist in this MemoryBroker: it has {known}"
            raise ConfigError(msg) from None

    def _log(self, source: TopicPartition) -> _Log:
        logs = self._topic(source.topic)
        if not 0 <= source.partition < len(logs):
            msg = f"topic {source.topic} has {len(logs)} partitions, there is no {source.partition}"
            raise ValueError(msg)
        return logs[source.partition]

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()


def _encoded(value: Payload) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def _pairs(
    headers: Headers | Mapping[str, bytes | str | None],
) -> tuple[tuple[str, bytes | None], ...]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, v.encode() if isinstance(v, str) else v) for name, v in pairs)
