"""A sink that writes to the broker in memory and acknowledges when the test wants it."""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from streamproc.connectors.kafka import rows_by_partition
from streamproc.core import (
    NS_PER_S,
    Clock,
    ConfigError,
    ExternalError,
    OutRecords,
    Problem,
    SendDone,
)
from streamproc.testing.broker import MemoryBroker, StoredRecord


@dataclass(order=True, slots=True)
class _Delivery:
    due_ns: int
    number: int
    bytes_total: int = field(compare=False)
    stored: list[StoredRecord] = field(compare=False)
    done: SendDone = field(compare=False)


class MemorySink:
    """Writes records to a ``MemoryBroker``; implements ``core.Sink``.

    Records lie in their topic at once; when they are acknowledged is up to the test: at once (in the
    loop's next round), ``delay_ns`` later on the clock, after ``hold`` not before ``release``, or never and
    with an error after ``fail``.

    Args:
        broker: takes the records.
        topics: the topics that must exist when it is started.
        clock: for the instant of acknowledgement; the broker's by default.
        delay_ns: how long an acknowledgement takes; a function of the records where it varies.
        automatic: False where the driver calls ``acknowledge_due`` itself, as ``PipelineTest`` does.

    Attributes:
        is_healthy: what ``healthy`` answers once it is started.
        acknowledged_ns: when each record was acknowledged, by the record.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        topics: Sequence[str] = (),
        clock: Clock | None = None,
        delay_ns: int | Callable[[OutRecords], int] = 0,
        automatic: bool = True,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._clock = clock or broker.clock
        self._delay_ns = delay_ns
        self._automatic = automatic
        self._held = False
        self._error: Exception | None = None
        self._waiting: list[_Delivery] = []
        self._numbers = count()
        self._started = False
        self.is_healthy = True
        self.acknowledged_ns: dict[StoredRecord, int] = {}

    async def start(self) -> None:
        """Connect; see ``Sink``."""
        missing = [topic for topic in self._topics if not self._broker.has_topic(topic)]
        if missing:
            msg = f"topic {', '.join(missing)} does not exist"
            raise ConfigError(Problem(msg, "sink.kafka.topic"))
        self._started = True

    def send(self, records: OutRecords, done: SendDone) -> None:
        """Write the records; see ``Sink``."""
        stored = [] if self._error is not None else self._write(records)
        delay_ns = self._delay_ns if isinstance(self._delay_ns, int) else self._delay_ns(records)
        sizes = (
            len(k or b"") + len(v or b"") for k, v in zip(records.key, records.value, strict=True)
        )
        due_ns = self._clock.now_ns() + delay_ns
        delivery = _Delivery(due_ns, next(self._numbers), sum(sizes), stored, done)
        heapq.heappush(self._waiting, delivery)
        if self._automatic:
            asyncio.get_running_loop().call_later(delay_ns / NS_PER_S, self.acknowledge_due)

    def pending_bytes(self) -> int:
        """Bytes not yet acknowledged; see ``Sink``."""
        return sum(delivery.bytes_total for delivery in self._waiting)

    def healthy(self) -> bool:
        """True while it is started, and neither failing nor said to be ill; see ``Sink``."""
        return self._started and self.is_healthy and self._error is None

    async def stop(self, *, timeout_ns: int) -> None:  # noqa: ARG002 - it never has to wait
        """Acknowledge what is not held back, then disconnect; see ``Sink``."""
        if not self._held:
            self.release()
        await asyncio.sleep(0)
        self._started = False

    def hold(self) -> None:
        """Acknowledge nothing until ``release``."""
        self._held = True

    def release(self, sends: int | None = None) -> None:
        """Acknowledge now: the oldest so many sends and keep holding, or all and hold no longer."""
        for _ in range(len(self._waiting) if sends is None else sends):
            self._acknowledge(heapq.heappop(self._waiting))
        self._held = self._held and sends is not None

    def fail(self, error: Exception | None = None) -> None:
        """Refuse from now on: nothing is written, and every send ends with this error."""
        self._error = error or ExternalError("sink.kafka: the broker refuses what is sent")
        if self._automatic:
            self.acknowledge_due()

    @property
    def due_ns(self) -> int | None:
        """When the next acknowledgement is due; None where none is, or all are held back."""
        return self._waiting[0].due_ns if self._waiting and not self._held else None

    def acknowledge_due(self) -> None:
        """Acknowledge what is due by the clock; to be called where the clock is moved by hand."""
        while (due_ns := self.due_ns) is not None and due_ns <= self._clock.now_ns():
            self._acknowledge(heapq.heappop(self._waiting))

    def _acknowledge(self, delivery: _Delivery) -> None:
        if self._error is not None:
            delivery.done(self._error)
            return
        now_ns = self._clock.now_ns()
        self.acknowledged_ns.update(dict.fromkeys(delivery.stored, now_ns))
        delivery.done(now_ns)

    def _write(self, records: OutRecords) -> list[StoredRecord]:
        return write_records(self._broker, records)


def write_records(broker: MemoryBroker, records: OutRecords) -> list[StoredRecord]:
    """Append records where a sink would; gives them as they are stored, in their order."""
    partitions = len(broker.partitions(records.topic))
    source_topic = records.source.topic
    same_count = (
        broker.has_topic(source_topic) and len(broker.partitions(source_topic)) == partitions
    )
    by_row: dict[int, StoredRecord] = {}
    split = rows_by_partition(records, partitions, same_count=same_count)
    for partition, rows in split.items():
        for row in rows:
            by_row[row] = broker.produce(
                records.topic,
                records.value[row],
                key=records.key[row],
                partition=partition,
                timestamp_ns=broker.clock.now_ns(),
                headers=[*records.row_headers.get(row, ()), *records.headers],
            )
    return [by_row[row] for row in range(len(records))]
