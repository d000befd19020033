"""Reads the source into the engine, as fast as the engine can take it and no faster."""

import asyncio
from typing import TYPE_CHECKING

from streamproc.core import NS_PER_MS, Clock, RecordBatch, Selective, Sink, Source, TopicPartition
from streamproc.engine import Engine
from streamproc.runtime.driver import Driver
from streamproc.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamproc.runtime.schemas import SchemaGate

IN_FLIGHT_MAX = 16_384
"""Events taken in and not finished: 0.1 s of work at the highest rate. It bounds memory and what a crash
makes another process do again."""
BYTES_MAX = 64 << 20
"""Of their records as they came; what is made of them takes a few times that."""
SINK_BYTES_MAX = 32 << 20
RECORDS_MAX = 1_024
POLL_BYTES = 1 << 20
"""Of one poll, in records and bytes: the decoding of either takes 1 to 4 ms, in which the loop does
nothing else; and what is decoded stays in the processor's cache until it is used."""
_TOGETHER_MIN = 64
"""Fewer events wait for those of the poll's next partition: a run costs as much time as the decoding of so many."""
_ROUNDS = 4
"""Rounds of the event loop that aiokafka takes, task by task, from a batch handed over to the produce request on the wire
(and three from records taken to the next fetch request). A poll that finds records does not yield, so with fewer
rounds the requests wait while several polls more are decoded and run."""
_SAMPLE_EVERY = 16
POLL_NS = 100 * NS_PER_MS
PAUSE_AFTER_S = 0.5
"""A longer jam pauses the source, so that ``poll`` can go on being called: a consumer that is not polled
is put out of its group, and one that is paused drops what it had fetched ahead, so this is the last resort."""


class IntakeLoop:
    """The loop that polls.

    Args:
        source: where records come from.
        sink: whose backlog counts.
        engine: takes the records.
        driver: carries out what follows.
        accounts: the books.
        clock: the pipeline's time.
        stop_after: end after so many records; None for no end.
        stop_when_idle_ns: end when nothing came for so long and nothing is under way, counted since the first fetch of
            every partition was answered; None for no end.

    Attributes:
        record: is shown each batch before the engine has it; None shows nobody.
        schemas: holds batches back whose schemas are not known yet; None where the codec has no registry.
    """

    def __init__(
        self,
        *,
        source: Source,
        sink: Sink,
        engine: Engine,
        driver: Driver,
        accounts: Accounts,
        clock: Clock,
        stop_after: int | None,
        stop_when_idle_ns: int | None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._engine = engine
        self._driver = driver
        self._accounts = accounts
        self._clock = clock
        self._stop_after = stop_after
        self._stop_when_idle_ns = stop_when_idle_ns
        self.record: Callable[[RecordBatch], None] | None = None
        self.schemas: SchemaGate | None = None
        self._paused = False
        self._record_bytes = 1.0
        self._records_total = 0
        self._ends: frozenset[TopicPartition] | None = None
        self.stopping = False
        """Set to make the loop end after the poll that is under way."""
        self.held = False
        """Set to take in nothing more until it is unset; what was taken in is finished."""

    async def run(self) -> None:
        """Poll until told to stop, or until the end that was asked for."""
        busy_ns = self._clock.now_ns()
        self._tell_ends(listening=False)  # nothing is known of any until it was asked for
        while not self.stopping:
            wanted = min(RECORDS_MAX, max(1, int(POLL_BYTES / self._record_bytes)))
            if self._stop_after is not None:
                new = self._records_total - self._accounts.restored
                wanted = min(wanted, self._stop_after - new)
                if wanted <= 0:
                    return
            await self._room()
            batches = self._through_gate([])
            if not batches:
                self._leave_those_ahead()
                polled = await self._source.poll(timeout_ns=POLL_NS, records_max=wanted)
                batches = self._through_gate(polled)
            self._take_in(batches)
            self._tell_ends()
            if not batches:
                self._let_tables_go_on()
            formed = self._driver.owns_partitions  # before the group is, nothing can come
            if batches or not formed or self._waits_for_first_fetch:
                busy_ns = self._clock.now_ns()
            if batches:
                # Not before: what is polled must be in the engine's hands before a commit can come between.
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
            elif formed and self._ended(busy_ns):
                return

    def _leave_those_ahead(self) -> None:
        """Read only what others wait for, where much of the rest waits for it."""
        order = self._engine.order
        if order is not None and isinstance(self._source, Selective):
            self._source.withheld = order.ahead(self._clock.now_ns())

    def _let_tables_go_on(self) -> None:
        """Nothing came, so what changed until now is for whatever comes next; but not for what still waits for others."""
        order, tables = self._engine.order, self._engine.tables
        waits = self._waits_for_schemas or (order is not None and order.waiting_total)
        if tables is not None and not waits:
            tables.advance(self._clock.now_ns())

    def _tell_ends(self, *, listening: bool = True) -> None:
        """Tell the engine of which partitions nothing came because there is nothing."""
        if self._engine.order is None:
            return
        lag = self._source.lag() if listening and not self._waits_for_schemas else {}
        ends = frozenset(source for source, behind in lag.items() if not behind)
        if ends != self._ends:
            self._ends = ends
            self._engine.at_ends(ends)

    def _through_gate(self, batches: list[RecordBatch]) -> list[RecordBatch]:
        """What of these, and of what was held before, can be decoded."""
        return batches if self.schemas is None else self.schemas.passed(batches)

    @property
    def _waits_for_schemas(self) -> bool:
        return self.schemas is not None and self.schemas.waits

    @property
    def _waits_for_first_fetch(self) -> bool:
        """Whether of a partition nobody has heard yet what there is to read: then that nothing came says nothing."""
        if self._stop_when_idle_ns is None:
            return False
        return not self._source.lag().keys() >= set(self._engine.owned())

    def _take_in(self, batches: list[RecordBatch]) -> None:
        """Give the engine what was polled, and carry out what follows."""
        untouched = 0
        for batch in batches:
            self._learn_size(batch)
            self._records_total += len(batch)
            if self.record is not None:
                self.record(batch)
            self._engine.ingest(batch)
            untouched += len(batch)
            if untouched >= _TOGETHER_MIN:
                self._driver.turn()
                untouched = 0
        if untouched:
            self._driver.turn()

    def _learn_size(self, batch: RecordBatch) -> None:
        """Keep up the mean size of a record, from a sample of the batch."""
        sample = [
            len(value or b"") + len(key or b"")
            for key, value in zip(
                batch.key[::_SAMPLE_EVERY], batch.value[::_SAMPLE_EVERY], strict=True
            )
        ]
        self._record_bytes += (max(1.0, sum(sample) / len(sample)) - self._record_bytes) / 4

    def _ended(self, busy_ns: int) -> bool:
        if self._paused or self._accounts.in_flight or self._waits_for_schemas:
            return False
        if self._source.exhausted():
            return True
        idle_ns = self._clock.now_ns() - busy_ns
        return self._stop_when_idle_ns is not None and idle_ns >= self._stop_when_idle_ns

    def _full(self, share: float = 1.0) -> bool:
        # What waits for others to come is bounded by itself, and must not keep them from coming.
        order = self._engine.order
        in_flight = (
            self._accounts.in_flight
            - (0 if order is None else order.waiting_total)
            + self._engine.restore.run_again_total
        )
        return (
            self._waits_for_schemas
            or in_flight >= IN_FLIGHT_MAX * share
            or in_flight * self._record_bytes >= BYTES_MAX * share
            or self._sink.pending_bytes() >= SINK_BYTES_MAX * share
        )

    async def _room(self) -> None:
        """Wait for room; after a while, pause the source instead."""
        if self._paused:
            if not self.held and not self._full(share=0.5):
                self._paused = False
                self._source.resume()
            return
        if self.held:
            self._tell_ends(listening=False)
            self._paused = True
            self._source.pause()
            return
        if not self._full():
            return
        self._tell_ends(listening=False)
        try:
            async with asyncio.timeout(PAUSE_AFTER_S):
                while self._full() and not self.stopping:
                    await self._driver.progress()
        except TimeoutError:
            self._paused = True
            self._source.pause()
