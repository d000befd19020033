"""From decoded events to the columns that operators make, and to those that get no decision."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from streamproc.codecs import TOPIC_FIELD
from streamproc.core import BoolArray, EventBatch, Int64Array, Outcome, Reason
from streamproc.engine.changelog_records import NO_TIME_NS, Recalled
from streamproc.engine.event_order import Due, Ordered
from streamproc.engine.isolate import Span, isolate, text_of
from streamproc.features import Advanced, Duplicates, Expression, JoinedRows, KnownValues, Program

_BEGINNING_NS = np.iinfo(np.int64).min // 2


class Undecided(NamedTuple):
    """Events that end here, all alike.

    Attributes:
        events: the events.
        outcome: what becomes of them: filtered, absorbed, or a dead letter.
        reason: why, for a dead letter.
        detail: what is wrong, for a dead letter.
    """

    events: EventBatch
    outcome: Outcome
    reason: Reason = Reason.NONE
    detail: str = ""


@dataclass(slots=True)
class _Clock:
    """A partition's time: its newest event's."""

    newest_ns: int = _BEGINNING_NS


@dataclass(slots=True)
class FeatureStep:
    """Runs the operators over what was decoded, in this order: filter, too late, duplicates, operators, absorb.

    Args:
        program: the operators.
        keep: events for which it does not hold are filtered, and remembered by nobody; None keeps all.
        absorb: events for which it holds are remembered, and not decided about; None for none.
        grace_ns: how far an event may be behind the newest of its partition; None for any.
        max_future_ns: how far it may be ahead of its arrival.
        duplicates: by what events that come twice are recognised; None takes all as they come.
        unique_in: the topics that have that field; None where all do.
    """

    program: Program
    keep: Expression | None = None
    absorb: Expression | None = None
    grace_ns: int | None = None
    max_future_ns: int | None = None
    duplicates: Duplicates | None = None
    unique_in: frozenset[str] | None = None
    _clocks: dict[int, _Clock] = field(default_factory=dict)
    _recalled: dict[int, Recalled] = field(default_factory=dict)
    _known: KnownValues | None = None

    def __post_init__(self) -> None:
        if self.duplicates is not None:
            self._known = KnownValues(self.duplicates)

    @property
    def remembers(self) -> bool:
        """Whether what becomes of an event depends on those before it."""
        return self.program.remembers or self._known is not None

    def take(
        self, events: EventBatch, said_ns: Int64Array
    ) -> tuple[list[EventBatch], list[Undecided]]:
        """Make the columns of events of one partition.

        Args:
            events: the events, in the order of their offsets.
            said_ns: int64 [n], when they say that they happened.

        Returns:
            those that are to be decided about, with their columns, and the others.
        """
        partition = int(events.partition[0])
        if partition in self._recalled:
            self._reach(partition)
            del self._recalled[partition]  # its rows hold no event that is decided about
        return self._take(events, said_ns)

    def restore(self, events: EventBatch, said_ns: Int64Array) -> None:
        """Take in events of one partition that were decided about before; those that what was recalled holds change nothing.

        Args:
            events: the events, in the order of their offsets.
            said_ns: int64 [n], when they say that they happened.
        """
        partition = int(events.partition[0])
        recalled = self._recalled.get(partition)
        if recalled is None:
            self._take(events, said_ns)
            return
        before = int(np.searchsorted(events.offset, recalled.position))
        for rows in (slice(0, before, None), slice(before, len(events), None)):
            if rows.stop > rows.start:
                if rows.start == before:
                    self._reach(partition)
                self._take(events.take(rows), said_ns[rows], recalled)

    def recall(self, partition: int, recalled: Recalled) -> None:
        """Remember what was written of a partition before it was ours."""
        self.program.recall(partition, recalled.rows)
        self._recalled[partition] = recalled

    def newest_ns(self, partition: int) -> int:
        """When the newest event of a partition happened; ``NO_TIME_NS`` where there was none, or nobody asks."""
        clock = self._clocks.get(partition)
        return NO_TIME_NS if clock is None else clock.newest_ns

    def _reach(self, partition: int) -> None:
        """From here on what was recalled of a partition holds."""
        clock = self._clocks.setdefault(partition, _Clock())
        clock.newest_ns = max(clock.newest_ns, self._recalled[partition].newest_ns)

    def _take(
        self, events: EventBatch, said_ns: Int64Array, recalled: Recalled | None = None
    ) -> tuple[list[EventBatch], list[Undecided]]:
        events, said_ns, ends = self.look(events, said_ns)
        if recalled is not None and len(events):
            new = np.flatnonzero(events.offset >= _held_up_to(events, recalled))
            events, said_ns = events.take(new), said_ns[new]
        decided: list[EventBatch] = []
        if len(events):
            decided, more = self.make(events, said_ns, int(events.partition[0]))
            ends += more
        return decided, ends

    def look(
        self, events: EventBatch, said_ns: Int64Array
    ) -> tuple[EventBatch, Int64Array, list[Undecided]]:
        """The first part of it: those of one partition that operators are to see, and the others.

        Args:
            events: the events, in the order of their offsets.
            said_ns: int64 [n], when they say that they happened.
        """
        ends: list[Undecided] = []
        if self.keep is not None:
            kept = self.keep.mask(events.columns, len(events))
            events, said_ns = _without(events, said_ns, ~kept, _filtered, ends)
        if self.remembers and len(events):
            events, said_ns = self._in_time(events, said_ns, ends)
        if self.duplicates is not None and self._known is not None and self._tells(events):
            values = events.columns[self.duplicates.field]
            repeated = self._known.repeated(int(events.partition[0]), values, said_ns)
            events, said_ns = _without(events, said_ns, repeated, _duplicate, ends)
        return events, said_ns, ends

    def arrived(self, events: EventBatch, said_ns: Int64Array) -> EventBatch:
        """Events that will wait for their turn, with what is known now and would be otherwise then."""
        made = self.program.arrived(events.columns, said_ns)
        return replace(events, columns=events.columns | made) if made else events

    def show(self, due: Due) -> None:
        """Events have their places: others may be joined with them."""
        if due.shown is not None and self.program.joins is not None:
            self.program.joins.remember(due.shown.shard, _rows_of(due.shown))

    def joined(self, ordered: Ordered) -> EventBatch:
        """Events whose turn it is, with what interval joins make of them."""
        joins = self.program.joins
        if joins is None:
            return ordered.events
        made = joins.columns(ordered.shard, _rows_of(ordered))
        return replace(ordered.events, columns=ordered.events.columns | made)

    def make(
        self, events: EventBatch, said_ns: Int64Array, state: int
    ) -> tuple[list[EventBatch], list[Undecided]]:
        """The second part of it: run the operators.

        Args:
            events: the events, in the order in which they are to be remembered.
            said_ns: int64 [n], when they say that they happened.
            state: whose keys they are of: a partition's, or those of several that share them.
        """
        ends: list[Undecided] = []
        decided: list[EventBatch] = []
        for start in range(0, len(events), self.program.rows_max):
            rows = slice(start, min(start + self.program.rows_max, len(events)), None)
            decided += self._advance(events.take(rows), said_ns[rows], state, ends)
        return decided, ends

    def drop(self, partition: int, state: int | None = None) -> None:
        """A partition is ours no longer: what was remembered of it is forgotten.

        Args:
            partition: the partition.
            state: whose keys are forgotten with it, where they are not its own.
        """
        self._clocks.pop(partition, None)
        self._recalled.pop(partition, None)
        self.program.drop([partition if state is None else state])
        if self._known is not None:
            self._known.drop([partition])

    def _tells(self, events: EventBatch) -> bool:
        """Whether these events, which are of one topic, have the field by which duplicates are recognised."""
        if not len(events) or self.unique_in is None:
            return len(events) > 0
        return str(events.columns[TOPIC_FIELD][0]) in self.unique_in

    def _in_time(
        self, events: EventBatch, said_ns: Int64Array, ends: list[Undecided]
    ) -> tuple[EventBatch, Int64Array]:
        """Take out the events that are too far ahead of their arrival, or behind their partition."""
        if self.max_future_ns is not None:
            ahead = said_ns > events.arrival_ns + self.max_future_ns
            events, said_ns = _without(events, said_ns, ahead, _ahead, ends)
        if self.grace_ns is None or not len(events):
            return events, said_ns
        clock = self._clocks.setdefault(int(events.partition[0]), _Clock())
        newest_ns = np.maximum(np.maximum.accumulate(said_ns), clock.newest_ns)
        clock.newest_ns = int(newest_ns[-1])
        return _without(events, said_ns, said_ns < newest_ns - self.grace_ns, too_late, ends)

    def _advance(
        self, events: EventBatch, said_ns: Int64Array, state: int, ends: list[Undecided]
    ) -> list[EventBatch]:
        """Run the operators; where one raises, the events at fault are found, and leave no trace."""

        def advance(span: Span) -> Advanced:
            rows = slice(span.start, span.stop, None)
            return self.program.advance(
                {name: column[rows] for name, column in events.columns.items()},
                key=events.key[rows],
                time_ns=said_ns[rows],
                partition=state,
            )

        done, failed = isolate(advance, len(events))
        for span, error in failed:
            gone = events.take(slice(span.start, span.stop, None))
            ends.append(
                Undecided(gone, Outcome.DEAD_LETTER, Reason.FEATURES_FAILED, text_of(error))
            )
        decided: list[EventBatch] = []
        for span, advanced in done:
            part = replace(
                events.take(slice(span.start, span.stop, None)), columns=dict(advanced.columns)
            )
            out = np.zeros(len(part), np.bool_)
            if self.absorb is not None:
                out = self.absorb.mask(part.columns, len(part))
                if out.any():
                    ends.append(Undecided(part.take(np.flatnonzero(out)), Outcome.ABSORBED))
            for reason, rows in advanced.refused.items():
                refused = rows & ~out
                out = out | refused
                if refused.any():
                    gone = part.take(np.flatnonzero(refused))
                    ends.append(
                        Undecided(
                            gone,
                            Outcome.DEAD_LETTER,
                            Reason(reason),
                            "as_of or lookup found no partner",
                        )
                    )
            if out.any():
                part = part.take(np.flatnonzero(~out))
            if len(part):
                decided.append(part)
        return decided


def _rows_of(ordered: Ordered) -> JoinedRows:
    events = ordered.events
    return JoinedRows(events.columns, events.key, ordered.said_ns, ordered.place_ns, events.number)


def _held_up_to(events: EventBatch, recalled: Recalled) -> Int64Array:
    """Up to which position what was recalled of each event's key holds (int64 [n])."""
    ahead, position = recalled.ahead, recalled.position
    return np.array([ahead.get(key, position) for key in events.key.tolist()], np.int64)


def _without(
    events: EventBatch,
    said_ns: Int64Array,
    gone: BoolArray,
    ended: Callable[[EventBatch], Undecided],
    ends: list[Undecided],
) -> tuple[EventBatch, Int64Array]:
    """Take events out, and say what becomes of them."""
    if not gone.any():
        return events, said_ns
    ends.append(ended(events.take(np.flatnonzero(gone))))
    rows = np.flatnonzero(~gone)
    return events.take(rows), said_ns[rows]


def _filtered(events: EventBatch) -> Undecided:
    return Undecided(events, Outcome.FILTERED)


def _duplicate(events: EventBatch) -> Undecided:
    return Undecided(events, Outcome.FILTERED, Reason.DUPLICATE)


def _ahead(events: EventBatch) -> Undecided:
    detail = "the event's time is further ahead of its arrival than deadline.max_future"
    return Undecided(events, Outcome.DEAD_LETTER, Reason.TOO_EARLY, detail)


def too_late(events: EventBatch) -> Undecided:
    """Events that come too late for what is remembered."""
    detail = "the event's time is behind the newest of its partition by more than state.grace"
    return Undecided(events, Outcome.DEAD_LETTER, Reason.TOO_LATE, detail)
