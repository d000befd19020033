"""A model that carries state: whose turn it is, what it is given, and what is kept of its answer.

A key's state moves on with an answer, and with nothing else: an event that is shed, or that the model fails on, leaves
it as it was before (or, with ``on_gap: reset``, lets the next one begin anew).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any, Protocol

import numpy as np

from streamproc.core import BoolArray, Columns, EventBatch, Int64Array, StateSpec, light
from streamproc.engine.carried import CarriedRows
from streamproc.engine.effects import Infer
from streamproc.engine.key_turns import NO_SLOT, KeyTurns, Turn
from streamproc.engine.rescue import Rescued
from streamproc.engine.state_outputs import checked, without_state
from streamproc.scheduling import Offered


@light
@dataclass(frozen=True, slots=True)
class Begun:
    """A run of a model that carries state.

    Attributes:
        turns: of its events, in their order.
        inputs: the state that it is given, by the model's input.
        model: which model it was, of those that there were one after the other.
    """

    turns: Sequence[Turn]
    inputs: Columns
    model: int


@light
@dataclass(frozen=True, slots=True)
class Due:
    """Events whose turn has come.

    Attributes:
        offers: those that are to be offered, by partition.
        expired: int64 [n], the numbers of those that are too late by now, ascending.
        passed: int64 [n], the numbers of those that others of their keys go past, ascending.
    """

    offers: Sequence[Offered]
    expired: Int64Array
    passed: Int64Array


class Judge(Protocol):
    """Says of events which are not worth their turn."""

    def __call__(self, deadline_ns: Int64Array, *, others: int) -> tuple[BoolArray, BoolArray]:
        """Those that no answer would meet, and those that it would be better to pass over for one of their key behind them.

        Args:
            deadline_ns: int64 [n], theirs.
            others: how many keys have their turn at the same time.
        """
        ...


class StatefulModel:
    """What an engine keeps for a model that carries state.

    Args:
        specs: what is carried.
        turns: whose turn it is.
        resets_on_gap: whether a key begins anew behind an event that was not answered.

    Attributes:
        specs: the same.
        turns: the same.
        rows: what the keys have.
        resets_total: keys that began anew behind a gap.
        restored_total: events that the model was run over again.
    """

    def __init__(self, specs: Sequence[StateSpec], turns: KeyTurns, *, resets_on_gap: bool) -> None:
        self.specs = tuple(specs)
        self.turns = turns
        self.rows = CarriedRows(specs)
        self.resets_total = 0
        self.restored_total = 0
        self._resets = resets_on_gap
        self._model = 0
        self._offered: dict[int, Turn] = {}
        self._due: list[Turn] = []
        self._again: deque[Turn] = deque()
        self._again_open = 0
        self._again_run: tuple[int, Begun] | None = None
        self._agains_total = 0

    @property
    def restoring(self) -> int:
        """Events that the model is still to be run over again."""
        return self._again_open

    @property
    def has_due(self) -> bool:
        """Whether events have their turn that were not asked for yet."""
        return bool(self._due)

    def admit(self, events: EventBatch, said_ns: Int64Array, offered: Offered) -> None:
        """Let events of one partition in, each to wait for its turn.

        Args:
            events: the events, in the order of the log.
            said_ns: int64 [n], when they say that they happened.
            offered: what the scheduler is told of them.
        """
        self._due += self.turns.admit(events, said_ns, offered)

    def admit_again(self, events: EventBatch, said_ns: Int64Array) -> None:
        """Let events in that were decided about before, for the state alone."""
        self._again_open += len(events)
        self._again += self.turns.admit(events, said_ns, None)

    def standing(self) -> tuple[list[Turn], Int64Array]:
        """The events that were offered, did not begin, and that others of their keys wait for; and their deadlines."""
        turns = [turn for turn in self.turns.waited_for() if turn.number in self._offered]
        return turns, _deadlines(turns)

    def take_back(self, turns: Sequence[Turn]) -> None:
        """These were withdrawn from the scheduler: it is judged again whether they have their turn."""
        for turn in turns:
            del self._offered[turn.number]
        self._due += turns

    def due(self, judge: Judge) -> Due | None:
        """The events whose turn has come since the last time; None for none."""
        if not self._due:
            return None
        heads, self._due = self._due, []
        others = len(heads)
        offered: list[Turn] = []
        expired: list[int] = []
        passed: list[int] = []
        late, crowded = (some.tolist() for some in judge(_deadlines(heads), others=others))
        for turn, is_late, is_crowded in zip(heads, late, crowded, strict=True):
            following: Turn | None = turn
            if is_late or (is_crowded and turn.life.waiting):
                following = self._skip(turn, partial(judge, others=others), expired, passed)
            if following is not None:
                offered.append(following)
        for turn in offered:
            self._offered[turn.number] = turn
        return Due(_offers(offered), _sorted(expired), _sorted(passed))

    def begin(self, number: Int64Array) -> Begun:
        """A run of events begins; each one's turn it is."""
        return self._begun([self._offered.pop(event) for event in number.tolist()])

    def begin_again(self, size_max: int) -> list[Infer]:
        """The next run over events that were decided about before; one at a time, since deciding comes first.

        It goes past the scheduler: nothing of it has a deadline. Its number is negative.

        Args:
            size_max: the largest batch.
        """
        if self._again_run is not None or not self._again:
            return []
        turns = [self._again.popleft() for _ in range(min(size_max, len(self._again)))]
        inputs = [turn.events.inputs for turn in turns if turn.events is not None]
        made = {
            name: np.stack([some[name][turn.row] for some, turn in zip(inputs, turns, strict=True)])
            for name in inputs[0]
        }
        begun = self._begun(turns)
        self._agains_total += 1
        self._again_run = (-self._agains_total, begun)
        return [Infer(-self._agains_total, len(turns), made | begun.inputs)]

    def ended(
        self, begun: Begun, outputs: Columns | Exception | Rescued
    ) -> Columns | Exception | Rescued:
        """A run has ended: keep the state, and let the keys' next events have their turns.

        Args:
            begun: the run.
            outputs: what became of it.

        Returns:
            the outputs, without the state; an event whose answer is not finite is among those that failed.
        """
        outputs = checked(outputs, self.specs, len(begun.turns))
        answered = np.zeros(len(begun.turns), np.bool_)
        if isinstance(outputs, Rescued):
            for span, part in outputs.done:
                answered[span.start : span.stop] = True
                self._keep(begun, part, span.start)
        elif not isinstance(outputs, Exception):
            answered[:] = True
            self._keep(begun, outputs, 0)
        for turn, is_answered in zip(begun.turns, answered.tolist(), strict=True):
            self._over(turn, answered=is_answered)
        self.rows.free(self.turns.take_freed())
        return without_state(outputs, self.specs)

    def ended_again(self, run: int, outputs: Columns | Exception | Rescued) -> bool:
        """A run has ended; False where it is none over events that were decided about before."""
        if self._again_run is None or self._again_run[0] != run:
            return False
        begun = self._again_run[1]
        self._again_run = None
        self._again_open -= len(begun.turns)
        self.restored_total += len(begun.turns)
        self.ended(begun, outputs)
        return True

    def given_up(self, number: Int64Array) -> None:
        """The scheduler gave these events up."""
        for event in number.tolist():
            self._over(self._offered.pop(event), answered=False)
        self.rows.free(self.turns.take_freed())

    def drop(self, partition: int) -> Int64Array:
        """A partition is ours no longer; gives the numbers of its events that were not offered yet (int64 [n])."""
        waited = self.turns.drop(partition)
        waited += [turn for turn in (*self._due, *self._again) if turn.life.dropped]
        self._due = [turn for turn in self._due if not turn.life.dropped]
        self._again = deque(turn for turn in self._again if not turn.life.dropped)
        self._offered = {n: turn for n, turn in self._offered.items() if not turn.life.dropped}
        self._again_open -= sum(turn.offered is None for turn in waited)
        self.rows.free(self.turns.take_freed())
        return np.array([turn.number for turn in waited if turn.offered is not None], np.int64)

    def another_model(self) -> None:
        """From now on another model runs, which does not know what these states mean: each key begins anew."""
        self._model += 1
        self.turns.forget_all()

    def held_by_lane(self, lanes: int) -> Int64Array:
        """How many events wait for their turn, by lane (int64 [lanes])."""
        held = [turn.offered for turn in (*self.turns.waiting(), *self._due)]
        rows = [turn.row for turn in (*self.turns.waiting(), *self._due)]
        lane = [
            0 if some.lane is None else int(some.lane[row])
            for some, row in zip(held, rows, strict=True)
            if some is not None
        ]
        return np.bincount(lane, minlength=lanes)

    def _begun(self, turns: Sequence[Turn]) -> Begun:
        anew = [turn.anew or turn.life.gap for turn in turns]
        slots = [
            NO_SLOT if begins else turn.life.slot for turn, begins in zip(turns, anew, strict=True)
        ]
        self.resets_total += sum(t.life.gap and t.life.slot != NO_SLOT for t in turns)
        return Begun(turns, self.rows.gather(np.array(slots, np.int64)), self._model)

    def _keep(self, begun: Begun, outputs: Columns, start: int) -> None:
        """Keep the state of a part of a run that was answered, which begins at a row."""
        if begun.model != self._model or not self.specs:
            return
        count = len(outputs[self.specs[0].output])
        rows, slots = [], []
        for row, turn in enumerate(begun.turns[start : start + count]):
            life = turn.life
            if life.dropped:
                continue
            if life.slot == NO_SLOT:
                life.slot = self.rows.take_slot()
            life.gap = False
            rows.append(row)
            slots.append(life.slot)
        self.rows.put(np.array(slots, np.int64), outputs, np.array(rows, np.int64))

    def _over(self, turn: Turn, *, answered: bool) -> None:
        """Let the next event of its key have its turn."""
        following = self._close(turn, answered=answered)
        if following is not None:
            (self._again if following.offered is None else self._due).append(following)

    def _close(self, turn: Turn, *, answered: bool) -> Turn | None:
        if not answered and (turn.anew or self._resets):
            turn.life.gap = True
        return self.turns.over(turn)

    def _skip(
        self,
        turn: Turn,
        judge: Callable[[Int64Array], tuple[BoolArray, BoolArray]],
        expired: list[int],
        passed: list[int],
    ) -> Turn | None:
        """Pass over an event, and those behind it that are no better; gives the one to be offered in their place.

        That is the first with time enough, or the last that still has any.
        """
        behind = takewhile(lambda some: some.offered is not None, turn.life.waiting)
        upcoming = [turn, *behind]  # all at once: one by one, a long queue would take its square
        late, crowded = judge(_deadlines(upcoming))
        usable = np.flatnonzero(~late)
        good = np.flatnonzero(~late & ~crowded)
        kept = len(upcoming)
        if len(usable):
            kept = int(good[0] if len(good) else usable[-1])
        following: Turn | None = turn
        for some, is_late in zip(upcoming[:kept], late[:kept].tolist(), strict=True):
            (expired if is_late else passed).append(some.number)
            following = self._close(some, answered=False)
        if following is not None and following.offered is None:
            self._again.append(following)
            return None
        return following


def _deadlines(turns: Sequence[Turn]) -> Int64Array:
    return np.array([turn.deadline_ns for turn in turns], np.int64)


def _sorted(numbers: Sequence[int]) -> Int64Array:
    return np.sort(np.array(numbers, np.int64))


def _offers(turns: Sequence[Turn]) -> list[Offered]:
    """What the scheduler is offered for events, by partition."""
    by_partition: dict[int, list[Turn]] = {}
    for turn in turns:
        if turn.offered is not None:
            by_partition.setdefault(turn.offered.partition, []).append(turn)
    return [_offer(partition, some) for partition, some in by_partition.items()]


def _offer(partition: int, turns: Sequence[Turn]) -> Offered:
    turns = sorted(turns, key=lambda turn: turn.number)
    batches = [(turn.offered, turn.row) for turn in turns]

    def column(name: str) -> Any:  # noqa: ANN401 - of whatever type the column is
        rows = [getattr(batch, name)[row] for batch, row in batches]
        return np.array(rows)

    first = turns[0].offered
    there = {
        name: column(name)
        for name in ("lane", "key", "cost", "value")
        if getattr(first, name) is not None
    }
    return Offered(column("number"), column("deadline_ns"), partition, **there)
