"""Runs a model aside over events that another one decided, and holds the decisions against each other."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from streamproc.codecs import Outputs
from streamproc.core import Columns, EventBatch
from streamproc.engine.comparison import Differences, differences
from streamproc.engine.decide import Decider
from streamproc.engine.effects import Infer
from streamproc.telemetry import Comparison


class Compared(NamedTuple):
    """Events of one partition that two models decided.

    Attributes:
        candidate: the name of the one that is tried.
        id_prefix: the first part of their decisions' ids.
        events: n of them.
        published: what was published, n.
        aside: what was not, n.
        differences: how they differ.
        level: which model decided what was published.
    """

    candidate: str
    id_prefix: str
    events: EventBatch
    published: Outputs
    aside: Outputs
    differences: Differences
    level: int


OnCompared: TypeAlias = Callable[[Compared], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events that wait to be compared, and what was decided about them."""

    id_prefix: str
    events: EventBatch
    decisions: Outputs
    level: int


class Comparer:
    """Keeps a bounded number of events, and gives them out a batch at a time; it never has two under way.

    Args:
        candidate: the name of the model that is tried.
        level: the place among the executors of the one that runs aside.
        decider: makes decisions of its outputs.
        tolerance: see ``differences``.
        max_queue: events that wait at most; what comes beyond them is dropped.
        books: where all is counted.
        told: is told of each comparison.
    """

    def __init__(
        self,
        *,
        candidate: str,
        level: int,
        decider: Decider,
        tolerance: float,
        max_queue: int,
        books: Comparison,
        told: OnCompared,
    ) -> None:
        self.candidate = candidate
        self._level = level
        self._decider = decider
        self._tolerance = tolerance
        self._max_queue = max_queue
        self._books = books
        self._told = told
        self._queue: deque[Waiting] = deque()
        self._queued = 0
        self._run = 0
        self._under_way: Waiting | None = None
        self._started_ns = 0
        self._took_ns = 0

    def offer(self, waiting: Waiting) -> None:
        """Compare these too, if there is room."""
        room = self._max_queue - self._queued
        count = len(waiting.events)
        if count > room:
            self._books.dropped += count - max(room, 0)
            if room <= 0:
                return
            rows = slice(0, room, None)
            waiting = Waiting(
                waiting.id_prefix,
                waiting.events.take(rows),
                waiting.decisions.take(rows),
                waiting.level,
            )
        self._queue.append(waiting)
        self._queued += len(waiting.events)

    def start(self, run: int, now_ns: int, until_ns: int | None) -> Infer | None:
        """The next batch to be run aside; None where none waits, or one is under way.

        Args:
            run: its number.
            now_ns: the present instant.
            until_ns: when it should have ended; None for any time.
        """
        if self._under_way is not None or not self._queue:
            return None
        if until_ns is not None and now_ns + self._took_ns > until_ns:
            return None
        waiting = self._queue.popleft()
        self._queued -= len(waiting.events)
        self._under_way, self._run, self._started_ns = waiting, run, now_ns
        events = waiting.events
        return Infer(run, len(events), events.inputs, self._level, ladder=0)

    def ended(self, run: int, outputs: Columns | Exception, now_ns: int) -> Differences | None:
        """A batch has run aside; None where it is another's, or nothing came of it."""
        waiting = self._under_way
        if waiting is None or run != self._run:
            return None
        self._under_way = None
        self._took_ns = now_ns - self._started_ns
        count, self._books.busy_ns = len(waiting.events), self._books.busy_ns + self._took_ns
        if isinstance(outputs, Exception):
            self._books.failed += count
            return None
        try:
            made = self._decider.decide(waiting.events, outputs)
            found = differences(waiting.decisions, made, self._tolerance)
        except Exception:  # noqa: BLE001 - whatever it is, it is the candidate's, and harms nobody
            self._books.failed += count
            return None
        self._books.compared += count
        self._books.differed += int(np.count_nonzero(found.differs))
        self._books.difference_sum += float(found.distance[np.isfinite(found.distance)].sum())
        self._told(
            Compared(
                self.candidate,
                waiting.id_prefix,
                waiting.events,
                waiting.decisions,
                made,
                found,
                waiting.level,
            )
        )
        return found

    def forget(self) -> None:
        """What waits is not compared any more."""
        self._books.dropped += self._queued
        self._queue.clear()
        self._queued = 0
