"""A sink that writes to the broker in memory by transactions."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamproc.core import (
    NS_PER_S,
    AbortedError,
    Clock,
    ConfigError,
    ExternalError,
    OutRecords,
    Problem,
    Progress,
    SendDone,
    TopicPartition,
)
from streamproc.testing.broker import MemoryBroker, StoredRecord
from streamproc.testing.sink import write_records


@dataclass(slots=True)
class _Transaction:
    sent: list[tuple[OutRecords, SendDone]] = field(default_factory=list)
    progress: Mapping[TopicPartition, Progress] = field(default_factory=dict)


class MemoryTransactionalSink:
    """Publishes records and a group's positions together; implements ``core.TransactionalSink``.

    Records lie in their topics from the commit on, with a gap behind them in each partition, as Kafka's markers
    leave one; what was aborted leaves gaps only.

    Args:
        broker: takes the records.
        group: whose positions are stored.
        topics: the topics that must exist when it is started.
        clock: for the instant of commit; the broker's by default.
        commit_ns: how long a commit takes.

    Attributes:
        commits_total: transactions that were committed.
        aborts_total: transactions that were not.
        acknowledged_ns: when each record was committed, by the record.
        holds_max: offsets behind a position that can be stored.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        group: str = "test",
        topics: Sequence[str] = (),
        clock: Clock | None = None,
        commit_ns: int = 0,
    ) -> None:
        self._broker = broker
        self._group = broker.group(group)
        self._topics = topics
        self._clock = clock or broker.clock
        self._commit_ns = commit_ns
        self._started = False
        self._errors: list[Exception] = []
        self._open = _Transaction()
        self._closing: _Transaction | None = None
        self.commits_total = 0
        self.aborts_total = 0
        self.acknowledged_ns: dict[StoredRecord, int] = {}
        self.holds_max = 1 << 62

    async def start(self) -> None:
        """Connect; see ``Sink``."""
        missing = [topic for topic in self._topics if not self._broker.has_topic(topic)]
        if missing:
            msg = f"topic {', '.join(missing)} does not exist"
            raise ConfigError(Problem(msg, "sink.kafka.topic"))
        self._started = True

    def send(self, records: OutRecords, done: SendDone) -> None:
        """Take records into the open transaction; see ``Sink``."""
        self._open.sent.append((records, done))

    def pending_bytes(self) -> int:
        """Bytes that are not committed; see ``Sink``."""
        pending = [t for t in (self._closing, self._open) if t is not None]
        return sum(_bytes(records) for t in pending for records, _ in t.sent)

    def healthy(self) -> bool:
        """True while it is started; see ``Sink``."""
        return self._started

    async def stop(self, *, timeout_ns: int) -> None:  # noqa: ARG002 - it never has to wait
        """Take back what is not committed; see ``Sink``."""
        self._abort(self._open)
        self._open = _Transaction()
        self._started = False

    def fail_commits(self, error: Exception | None = None, *, times: int = 1) -> None:
        """Make the next commits fail: with ``AbortedError``, or with another error."""
        self._errors += [error or AbortedError("sink: the test aborted it")] * times

    def can_hold(self, progress: Mapping[TopicPartition, Progress]) -> bool:
        """Whether so much fits; see ``TransactionalSink``."""
        return all(len(one.beyond) <= self.holds_max for one in progress.values())

    async def commit(self, progress: Mapping[TopicPartition, Progress]) -> int:
        """Publish what was sent until now; see ``TransactionalSink``."""
        self.begin_commit(progress)
        await asyncio.sleep(self._commit_ns / NS_PER_S)
        return self.end_commit()

    def begin_commit(self, progress: Mapping[TopicPartition, Progress]) -> None:
        """The first half of ``commit``: what is sent from here on belongs to the next one."""
        if self._closing is not None:
            msg = "a commit is under way: the next one has to wait for it"
            raise ExternalError(msg)
        self._closing, self._open = self._open, _Transaction()
        self._closing.progress = progress

    def end_commit(self) -> int:
        """The second half: it is published, or not; for what drives it without a loop."""
        closing, self._closing = self._closing, None
        if closing is None:
            msg = "no commit is under way"
            raise ExternalError(msg)
        if self._errors:
            self.abort(closing)
            raise self._errors.pop(0)
        now_ns = self._clock.now_ns()
        stored = [
            record for records, _ in closing.sent for record in write_records(self._broker, records)
        ]
        for source in {TopicPartition(record.topic, record.partition) for record in stored}:
            self._broker.skip(*source)
        for source, (position, beyond) in closing.progress.items():
            self._group.committed[source] = position
            self._group.beyond[source] = beyond
        self.acknowledged_ns.update(dict.fromkeys(stored, now_ns))
        self.commits_total += 1
        for _, done in closing.sent:
            done(now_ns)
        return now_ns

    def abort(self, closing: "_Transaction | None" = None) -> None:
        """Take back what was sent, also since a commit began."""
        for transaction in (closing, self._closing, self._open):
            self._abort(transaction)
        self._closing, self._open = None, _Transaction()
        self.aborts_total += 1

    def _abort(self, transaction: "_Transaction | None") -> None:
        """Its records took offsets, and nobody will see them."""
        for records, _ in transaction.sent if transaction is not None else ():
            for source in self._broker.partitions(records.topic):
                self._broker.skip(*source)


def _bytes(records: OutRecords) -> int:
    pairs = zip(records.key, records.value, strict=True)
    return sum(len(key or b"") + len(value or b"") for key, value in pairs)
