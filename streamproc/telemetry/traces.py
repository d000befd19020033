"""Traces, made after the fact: the hot path only wrote instants into columns."""

from collections.abc import Callable, Container, Mapping, Sequence
from heapq import heappush, heapreplace
from itertools import count
from typing import NamedTuple

import numpy as np

from streamproc.core import NS_PER_S, Headers, Int64Array, Outcome, TopicPartition
from streamproc.telemetry.options import TraceCause
from streamproc.telemetry.passage import Passage
from streamproc.telemetry.sampling import Sampler, SpanIds, incoming, parent_of

SAMPLED = "sampled"
"""The cause of a trace that was chosen from its start."""
ALWAYS_PER_S = 10
"""Traces of one outcome in a second that are made only because of it: a burst of shed events must not cost
more than the events themselves."""
SLOWEST_WINDOW_NS = 10 * NS_PER_S
SLOWEST_KEPT = 5
"""Of a window, so many of the slowest are traced."""


class Journey(NamedTuple):
    """One traced event, from when it happened to its outcome; instants in ns since 1970, 0 for none."""

    source: TopicPartition
    offset: int
    row: int
    key: bytes | None
    ids: SpanIds
    parent_span_id: bytes
    event_time_ns: int
    arrival_ns: int
    admitted_ns: int
    deadline_ns: int
    started_ns: int
    finished_ns: int
    decided_ns: int
    final_ns: int
    outcome: Outcome
    reason: str
    topic: str | None
    cause: str


class Tracer:
    """Chooses events and tells their journeys.

    Args:
        sampler: chooses those that are traced from their start.
        always: outcomes that are traced whatever the sampler says, and ``slowest``.
        export: takes each journey; must not block.
    """

    def __init__(
        self, sampler: Sampler, always: Sequence[TraceCause], export: Callable[[Journey], None]
    ) -> None:
        self._sampler = sampler
        self._always = {Outcome[cause.upper()] for cause in always if cause != "slowest"}
        self._slowest = _Slowest() if "slowest" in always else None
        self._export = export
        self._second = 0
        self._made: dict[Outcome, int] = {}

    def outgoing(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        headers: Mapping[int, Headers],
    ) -> dict[int, SpanIds]:
        """The ids of the events that are traced from their start, by row: their decisions carry the trace on.

        Args:
            source: the events' partition.
            offset: int64 [n].
            row: int64 [n], the events' rows within their records; None where each is one.
            headers: the records' headers by row of these columns, of those that have any.
        """
        ids = self._sampler.ids
        return {
            place: ids(
                source,
                int(offset[place]),
                -1 if row is None else int(row[place]),
                incoming(headers.get(place, ())),
            )
            for place in self._sampler.chosen(source, offset, row, headers)
        }

    def ended(self, passage: Passage) -> None:
        """Outcomes became final: tell the journeys that are to be told."""
        told = passage.traced
        if told is None:
            told = self.outgoing(passage.source, passage.offset, passage.row, passage.headers)
        for place, ids in told.items():
            self._export(self._journey(passage, place, SAMPLED, ids))
        if passage.outcome in self._always:
            others = (place for place in range(len(passage.offset)) if place not in told)
            for place, _ in zip(others, range(self._room(passage)), strict=False):
                self._made[passage.outcome] += 1
                self._export(self._journey(passage, place, passage.outcome.word))
        if self._slowest is not None and passage.decided_ns is not None:
            self._rank(self._slowest, passage, told)

    def close(self) -> None:
        """Tell what is kept until its window ends."""
        if self._slowest is not None:
            for journey in self._slowest.take():
                self._export(journey)

    def _room(self, passage: Passage) -> int:
        """How many more journeys may be told in this second because of this outcome."""
        second = passage.final_ns // NS_PER_S
        if second != self._second:
            self._second, self._made = second, {}
        return ALWAYS_PER_S - self._made.setdefault(passage.outcome, 0)

    def _rank(self, slowest: "_Slowest", passage: Passage, told: Container[int]) -> None:
        if passage.final_ns >= slowest.until_ns:
            for journey in slowest.take():
                self._export(journey)
            slowest.until_ns = passage.final_ns + SLOWEST_WINDOW_NS
        place = int(np.argmin(passage.event_time_ns))  # of one acknowledgement, the oldest
        took_ns = passage.final_ns - int(passage.event_time_ns[place])
        if slowest.wants(took_ns) and place not in told:
            slowest.add(took_ns, self._journey(passage, place, "slowest"))

    def _journey(
        self, passage: Passage, place: int, cause: str, ids: SpanIds | None = None
    ) -> Journey:
        offset = int(passage.offset[place])
        row = -1 if passage.row is None else int(passage.row[place])
        asked = incoming(passage.headers.get(place, ()))
        parent = parent_of(asked)
        return Journey(
            passage.source,
            offset,
            row,
            passage.key[place],
            ids or self._sampler.ids(passage.source, offset, row, asked),
            b"" if parent is None else parent.span_id,
            int(passage.event_time_ns[place]),
            int(passage.arrival_ns[place]),
            0 if passage.admitted_ns is None else int(passage.admitted_ns[place]),
            0 if passage.deadline_ns is None else int(passage.deadline_ns[place]),
            passage.started_ns or 0,
            passage.finished_ns or 0,
            passage.decided_ns or 0,
            passage.final_ns,
            passage.outcome,
            passage.reason,
            passage.topic,
            cause,
        )


class _Slowest:
    """The slowest journeys of a window."""

    def __init__(self) -> None:
        self.until_ns = 0
        self._kept: list[tuple[int, int, Journey]] = []
        self._numbers = count()

    def wants(self, took_ns: int) -> bool:
        return len(self._kept) < SLOWEST_KEPT or took_ns > self._kept[0][0]

    def add(self, took_ns: int, journey: Journey) -> None:
        entry = (took_ns, next(self._numbers), journey)
        if len(self._kept) < SLOWEST_KEPT:
            heappush(self._kept, entry)
        else:
            heapreplace(self._kept, entry)

    def take(self) -> list[Journey]:
        kept, self._kept = self._kept, []
        return [journey for _, _, journey in kept]
