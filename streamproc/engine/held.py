"""Answers that are not sent yet: another stage may better them, or an earlier event of their key waits for one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from streamproc.core import BoolArray, Columns, EventBatch, Int64Array, Outcome
from streamproc.engine.conclude import Ran

_NEVER_NS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Answers:
    """What a batch answered.

    Attributes:
        events: the events.
        outputs: the model's outputs by name, each [n, ...].
        ran: which run, and what its answers in time are: ``on_time`` or ``degraded``.
    """

    events: EventBatch
    outputs: Columns
    ran: Ran

    def take(self, rows: Int64Array) -> "Answers":
        """Those of some rows (int64 [m])."""
        outputs = {name: array[rows] for name, array in self.outputs.items()}
        return Answers(self.events.take(rows), outputs, self.ran)

    def as_outcome(self, outcome: Outcome) -> "Answers":
        """The same, to be called otherwise where it is in time."""
        return replace(self, ran=self.ran._replace(outcome=outcome))


class HeldAnswers:
    """A table of events that have an answer and wait, one row each, in no particular order.

    Where order is kept, an event goes when no event before it, of its key or its partition, is asked about any more.

    Args:
        keep_order: whether any order is kept.
    """

    def __init__(self, *, keep_order: bool) -> None:
        self._keep_order = keep_order
        self._answers: dict[int, Answers] = {}
        self._answers_total = 0
        self._clear()

    def __len__(self) -> int:
        return len(self._number)

    def _clear(self) -> None:
        nothing = np.empty(0, np.int64)
        self._number = self._group = self._due_ns = self._of = self._row = nothing
        self._asked: BoolArray = np.empty(0, np.bool_)
        self._answers.clear()

    def add(
        self, answers: Answers, *, asked: BoolArray, group: Int64Array, due_ns: Int64Array
    ) -> None:
        """Keep answers.

        Args:
            answers: all of them, of n events.
            asked: bool [n], those that another stage is asked about.
            group: int64 [n], whose order is kept.
            due_ns: int64 [n], when each must be sent to be in time.
        """
        count = len(answers.events)
        number = self._keep(answers)
        self._number = np.concatenate((self._number, answers.events.number))
        self._group = np.concatenate((self._group, group))
        self._due_ns = np.concatenate((self._due_ns, due_ns))
        self._of = np.concatenate((self._of, np.full(count, number)))
        self._row = np.concatenate((self._row, np.arange(count)))
        self._asked = np.concatenate((self._asked, asked))

    def asked(self, number: Int64Array) -> BoolArray:
        """Which of these events (int64 [n]) are still asked about."""
        return np.isin(number, self._number[self._asked])

    def variants(self, number: Int64Array) -> list[tuple[int, int]]:
        """The variants whose answers these events (int64 [n]) have, of those asked about, each with their number."""
        of = self._of[self._asked & np.isin(self._number, number)]
        counts = Counter(self._answers[answers].ran.variant for answers in of.tolist())
        return list(counts.items())

    def stand(self, number: Int64Array) -> list[tuple[int, int]]:
        """Let the answers at hand of these events (int64 [n]) be the last ones; gives what ``variants`` does."""
        counts = self.variants(number)
        self._asked &= ~np.isin(self._number, number)
        return counts

    def better(self, answers: Answers, *, asked: BoolArray) -> None:
        """Put better answers in the place of those at hand.

        Args:
            answers: of n events, which are here.
            asked: bool [n], those that yet another stage is asked about.
        """
        of = self._keep(answers)
        by = np.argsort(self._number, kind="stable")
        rows = by[np.searchsorted(self._number, answers.events.number, sorter=by)]
        self._of[rows] = of
        self._row[rows] = np.arange(len(answers.events))
        self._asked[rows] = asked

    def due(self, now_ns: int) -> Int64Array:
        """The events whose answers must stand now: their own time has come, or that of one which waits for them."""
        due = self._due_ns <= now_ns
        if not due.any():
            return self._number[:0]
        if self._keep_order:
            groups, of = np.unique(self._group, return_inverse=True)
            last = np.full(len(groups), -1)
            np.maximum.at(last, of[due], self._number[due])
            due = self._number <= last[of]
        return self._number[due & self._asked]

    @property
    def due_ns(self) -> int | None:
        """When ``due`` is to be asked next; None for never."""
        return int(self._due_ns.min()) if len(self) else None

    def events(self, number: Int64Array) -> EventBatch:
        """Events that are here (int64 [n], ascending), in this order."""
        by = np.argsort(self._number, kind="stable")
        rows = by[np.searchsorted(self._number, number, sorter=by)]
        of = self._of[rows]
        parts = [
            self._answers[answers].events.take(self._row[rows[of == answers]])
            for answers in dict.fromkeys(of.tolist())
        ]
        joined = EventBatch.concatenate(parts)
        if len(parts) == 1:
            return joined
        return joined.take(np.argsort(joined.number, kind="stable"))

    def drop(self, partition: int) -> None:
        """Forget the events of a partition."""
        if len(self):
            kept = [
                int(self._answers[of].events.partition[row]) != partition
                for of, row in zip(self._of.tolist(), self._row.tolist(), strict=True)
            ]
            self._remove(~np.array(kept, np.bool_))

    def release(self) -> Iterator[Answers]:
        """Take out what may go, in an order that keeps that of each group."""
        go = ~self._asked
        if not go.any():
            return
        if self._keep_order and self._asked.any():
            groups, of = np.unique(self._group, return_inverse=True)
            first = np.full(len(groups), _NEVER_NS)
            np.minimum.at(first, of[self._asked], self._number[self._asked])
            go &= self._number < first[of]
            if not go.any():
                return
        rows = np.flatnonzero(go)
        rows = rows[np.argsort(self._number[rows], kind="stable")]
        pieces = [self._answers[of].take(self._row[some]) for of, some in self._pieces(rows)]
        self._remove(go)
        yield from pieces

    def _pieces(self, rows: Int64Array) -> Iterator[tuple[int, Int64Array]]:
        """Rows by whose answers they are; where that would change the order inside a group, in smaller pieces."""
        of = self._of[rows]
        order = {answers: place for place, answers in enumerate(dict.fromkeys(of.tolist()))}
        place = np.array([order[answers] for answers in of.tolist()])
        if self._keep_order and len(order) > 1:
            group = self._group[rows]
            by = np.argsort(group, kind="stable")
            back = (np.diff(place[by]) < 0) & (np.diff(group[by]) == 0)
            if back.any():
                for some in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(of)) + 1):
                    yield int(of[some[0]]), rows[some]
                return
        for answers, which in order.items():
            yield answers, rows[place == which]

    def _keep(self, answers: Answers) -> int:
        self._answers_total += 1
        self._answers[self._answers_total] = answers
        return self._answers_total

    def _remove(self, gone: BoolArray) -> None:
        kept = ~gone
        if not kept.any():
            self._clear()
            return
        self._number, self._group = self._number[kept], self._group[kept]
        self._due_ns, self._of = self._due_ns[kept], self._of[kept]
        self._row, self._asked = self._row[kept], self._asked[kept]
        used = set(self._of.tolist())
        self._answers = {number: some for number, some in self._answers.items() if number in used}
