"""A source that plays a recording: each batch when it is due, by an absolute schedule."""

import asyncio
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from streamproc.connectors.playback.timeline import Arrival, rows_of
from streamproc.core import (
    NS_PER_S,
    AssignmentListener,
    Clock,
    Int64Array,
    Jump,
    RecordBatch,
    TopicPartition,
)


class PlayedTables(Protocol):
    """What lookups find in a recording that is played.

    Attributes:
        at: when the batch that was given last arrived, as it was recorded, and in which lap.
    """

    at: tuple[int, int] | None

    def changes_at(self, arrival_ns: int, lap: int) -> bool:
        """Whether they find other things for a batch that arrived then."""
        ...


class PlayedSource:
    """Gives batches when they are due; implements ``core.Source``.

    The first batch is due at the first ``poll``, and each other as long after it as its schedule says, whatever
    happened in between: what comes late does not make the rest late. All times that records tell are moved by as
    much as their batch, so that deadlines are what they were.

    Args:
        arrivals: what comes, and when; see ``arrivals``.
        clock: the time.
        unbounded: True to give everything as soon as it is asked for, each batch as if it had been due then.

    Attributes:
        skipped_total: always 0: a recording loses nothing.
        tables: is told how far the recording was played; None tells nobody.
    """

    def __init__(
        self, arrivals: Iterable[Arrival], *, clock: Clock, unbounded: bool = False
    ) -> None:
        self._arrivals: Iterator[Arrival] = iter(arrivals)
        self._clock = clock
        self._unbounded = unbounded
        self._next: Arrival | None = None
        self._listener: AssignmentListener | None = None
        self._position: dict[TopicPartition, int] = {}
        self._offset_ns: int | None = None
        """From the recording's timeline to the clock's; None before the first poll."""
        self._paused = False
        self._lags_ns = array("q")
        self.skipped_total = 0
        self.tables: PlayedTables | None = None

    @property
    def lag_ns(self) -> Int64Array:
        """int64 [batches], how much later than due each was given."""
        return np.array(self._lags_ns, np.int64)

    async def start(self, listener: AssignmentListener) -> None:
        """Read the first batch; see ``Source``."""
        self._listener = listener
        self._next = next(self._arrivals, None)
        listener.assigned({})
        if self._next is not None:
            self._own(self._next.batch)

    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        """What is due; see ``Source``."""
        if self._next is None or self._paused:
            await asyncio.sleep(min(timeout_ns / NS_PER_S, 0.001 if self._next is None else 1.0))
            return []
        if self._offset_ns is None:
            self._offset_ns = self._clock.now_ns() - self._next.due_ns
        wait_ns = self._next.due_ns + self._offset_ns - self._clock.now_ns()
        if wait_ns > 0 and not self._unbounded:
            await asyncio.sleep(min(wait_ns, timeout_ns) / NS_PER_S)
        return self._due(records_max)

    def pause(self) -> None:
        """Give nothing until ``resume``; see ``Source``."""
        self._paused = True

    def resume(self) -> None:
        """Give again; see ``Source``."""
        self._paused = False

    async def positions(self) -> dict[TopicPartition, int]:
        """The positions behind the last records given; see ``Source``."""
        return dict(self._position)

    def lag(self) -> dict[TopicPartition, int]:
        """Nobody counts what is still in the file; see ``Source``."""
        return dict.fromkeys(self._position, 0)

    async def skip_to(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:  # noqa: ARG002
        """A recording is played as it is; see ``Source``."""
        return None

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """A recording begins anew each time; see ``Source``."""

    def exhausted(self) -> bool:
        """True at its end; see ``Source``."""
        return self._listener is not None and self._next is None

    async def stop(self) -> None:
        """Let go of it; see ``Source``."""
        self._listener = None
        self._next = None

    def _due(self, records_max: int) -> list[RecordBatch]:
        """What is due by now."""
        given: list[RecordBatch] = []
        now_ns = self._clock.now_ns()
        offset_ns = self._offset_ns or 0
        while self._next is not None and records_max > 0:
            at_ns = now_ns if self._unbounded else self._next.due_ns + offset_ns
            if at_ns > now_ns:
                break
            batch, lap = self._next.batch, self._next.lap
            if self.tables is not None:
                if given and self.tables.changes_at(batch.arrival_ns, lap):
                    break  # what was given is taken in first
                self.tables.at = (batch.arrival_ns, lap)
            self._own(batch)
            shift_ns = batch.shift_ns + at_ns - self._next.due_ns
            if len(batch) > records_max:
                rest = rows_of(batch, range(records_max, len(batch)))
                self._next = self._next._replace(batch=rest)
                batch = rows_of(batch, range(records_max))
                batch = replace(batch, end_position=int(batch.offset[-1]) + 1)
            else:
                self._lags_ns.append(now_ns - at_ns)
                self._next = next(self._arrivals, None)
            records_max -= len(batch)
            self._position[batch.source] = batch.end_position
            given.append(replace(batch, arrival_ns=now_ns, shift_ns=shift_ns))
        return given

    def _own(self, batch: RecordBatch) -> None:
        """A partition is ours from its first record on."""
        if batch.source not in self._position and self._listener is not None:
            position = int(batch.offset[0])
            self._position[batch.source] = position
            self._listener.assigned({batch.source: position})
