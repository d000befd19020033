"""A cascade: what a cheap variant is unsure of goes on to a better one, where there is time for it.

An event keeps the answer that it has until a better one comes. If none comes in time, whether it was never begun, failed,
or takes too long, the answer at hand is sent while it is still in time, and called ``degraded``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from streamproc.codecs import DecisionEncoder
from streamproc.core import (
    NS_PER_MS,
    BoolArray,
    Columns,
    EventBatch,
    Int64Array,
    Outcome,
)
from streamproc.engine.conclude import Concluder, Ran
from streamproc.engine.doubt import Doubt
from streamproc.engine.effects import Effect, Infer, Stop
from streamproc.engine.held import Answers, HeldAnswers
from streamproc.engine.in_flight import Finished, InFlight, batch_run
from streamproc.engine.intake import finite_rows
from streamproc.engine.offering import Offering, key_hashes
from streamproc.engine.rescue import parts_of
from streamproc.engine.stopping import was_stopped
from streamproc.scheduling import CascadeScheduler, Ordering, Run
from streamproc.telemetry import Accounts, Verdict

EARLY_NS: Final = 2 * NS_PER_MS
"""So long before its last moment an answer is sent: a turn of the event loop, or a batch that runs on it, may take that."""
EARLY_SHARE: Final = 10
"""But no more than this part (a tenth) of the budget."""
_NEVER_NS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a cascade.

    Attributes:
        variants: the place of each among the model's variants, the first stage's first; the last is the best variant.
        doubt: says which answers are unsure.
        early_ns: so long before its last moment an answer is sent.
        stops: whether a batch is stopped whose events have had to leave without it.
    """

    variants: Sequence[int]
    doubt: Doubt
    early_ns: int
    stops: bool = True

    @classmethod
    def of(
        cls, variants: Sequence[int], doubt: Doubt, *, budget_ns: int, stops: bool = True
    ) -> "Stages":
        """Stages whose answers leave in time for the smallest budget."""
        return cls(tuple(variants), doubt, min(EARLY_NS, budget_ns // EARLY_SHARE), stops)


class Escalation:
    """Takes a first stage's answers, asks further stages, and concludes what is final.

    Args:
        stages: the stages.
        scheduler: runs them.
        concluder: makes decisions of answers.
        offering: what the scheduler is told of events.
        accounts: the books.
        ordering: whose decisions leave in the order of their events.
    """

    def __init__(
        self,
        stages: Stages,
        *,
        scheduler: CascadeScheduler,
        concluder: Concluder,
        offering: Offering,
        accounts: Accounts,
        ordering: Ordering,
    ) -> None:
        self._stages = stages
        self._scheduler = scheduler
        self._concluder = concluder
        self._offering = offering
        self._accounts = accounts
        self._ordering = ordering
        self._held = HeldAnswers(keep_order=ordering != "none")
        self._running: dict[int, InFlight] = {}

    @property
    def wake_ns(self) -> int | None:
        """When ``expire`` is to be asked next; None where nothing waits."""
        return self._held.due_ns

    def wakes_by(self, wake_ns: int | None) -> int | None:
        """When the engine is to be asked again that would be at an instant without this; None for never."""
        instants = [at for at in (wake_ns, self.wake_ns) if at is not None]
        return min(instants, default=None)

    def runs(self, run: int) -> bool:
        """Whether a run is one of a further stage."""
        return run in self._running

    def first(
        self, events: EventBatch, bounds: Sequence[int], outputs: Columns | Exception, ran: Ran
    ) -> list[Effect]:
        """What follows from a run of the first stage; see ``Concluder.conclude``."""
        if isinstance(outputs, Exception) or not _row_by_row(outputs, len(events)):
            return self._concluder.conclude(events, bounds, outputs, ran)
        outcome = Outcome.ON_TIME if ran.variant in self._stages.variants else Outcome.DEGRADED
        answers = Answers(events, outputs, ran._replace(outcome=outcome))
        try:
            unsure = self._unsure(answers)
        except Exception as error:  # noqa: BLE001 - what a user's model gives may be anything
            return self._concluder.conclude(events, bounds, error, ran)
        if not unsure.any() and (self._ordering == "none" or not len(self._held)):
            self._count(ran.variant, "sure", len(events))
            return self._concluder.conclude(events, bounds, outputs, answers.ran)
        for part, asked in self._judged(answers, unsure, ran.ended_ns):
            self._hold(part, asked, ran.ended_ns)
        return self._release(ran.ended_ns)

    def start(self, run: Run, encoders: Sequence[DecisionEncoder], now_ns: int) -> Infer:
        """A batch of a further stage begins."""
        events = self._held.events(run.number)
        self._running[run.run] = InFlight(
            events, [0, len(events)], now_ns, run.reason, run.variant, encoders
        )
        first_ns = int(events.deadline_ns.min())
        stop = None
        by_ns = events.deadline_ns - (self._scheduler.send_ns + self._stages.early_ns)
        last_ns = int(by_ns.max())
        # From then on all its events have gone with the answers that they had before. One that begins later is run only
        # to see how long it takes.
        if self._stages.stops and last_ns > now_ns:
            stop = Stop(last_ns, by_ns)
        return Infer(
            run.run,
            len(events),
            events.inputs,
            run.variant,
            run.cost,
            first_ns,
            alone=True,
            stop=stop,
        )

    def ended(self, run: int, finished: Finished) -> list[Effect]:
        """What follows from the end of a batch of a further stage."""
        begun, now_ns = self._running.pop(run), finished.finished_ns
        variant = begun.variant if finished.variant is None else finished.variant
        self._accounts.run(variant, len(begun.events), now_ns - begun.started_ns)
        told = batch_run(run, begun, finished, variant)
        ran = Ran(begun.started_ns, now_ns, variant, begun.encoders, told, outcome=Outcome.ON_TIME)
        for events, _, outputs in parts_of(begun.events, begun.bounds, finished.outputs):
            good = self._held.asked(events.number)  # of the others the answers were sent
            if isinstance(outputs, Exception) or not _row_by_row(outputs, len(events)):
                self._stand(events.number, "no_time" if was_stopped(outputs) else "failed")
                continue
            finite = finite_rows(outputs, len(events))
            if finite is not None:
                self._stand(events.number[~finite], "failed")
                good &= finite
            if good.any():
                self._better(Answers(events, outputs, ran).take(np.flatnonzero(good)), now_ns)
        return self._release(now_ns)

    def stand(self, number: Int64Array, now_ns: int) -> list[Effect]:
        """No further stage can answer these events (int64 [n]) in time: the answers that they have stand."""
        self._stand(number, "no_time")
        return self._release(now_ns)

    def expire(self, now_ns: int) -> list[Effect]:
        """Send the answers that cannot wait any longer."""
        number = self._held.due(now_ns)
        if not len(number):
            return []
        self._scheduler.forget(number)
        return self.stand(number, now_ns)

    def degrades(self, outputs: Columns, variant: int, n: int) -> BoolArray:
        """Which of n answers of a variant are not as good as the best one's (bool [n]): what a request is told.

        Raises:
            ValueError, TypeError: the outputs have no scores, where the condition is about them.
        """
        if variant not in self._stages.variants:
            return np.ones(n, np.bool_)
        if variant == self._stages.variants[-1]:
            return np.zeros(n, np.bool_)
        return self._stages.doubt.of(outputs, n)

    def drop(self, partition: int) -> None:
        """A partition was given up: what waits of it is handed back."""
        self._held.drop(partition)

    def _better(self, answers: Answers, now_ns: int) -> None:
        """Take a further stage's answers, or ask the one behind it."""
        try:
            unsure = self._unsure(answers)
        except Exception:  # noqa: BLE001 - what a user's model gives may be anything
            self._stand(answers.events.number, "failed")
            return
        for variant, count in self._held.variants(answers.events.number):
            self._count(variant, "escalated", count)
        for part, asked in self._judged(answers, unsure, now_ns):
            self._held.better(part, asked=asked)

    def _unsure(self, answers: Answers) -> BoolArray:
        """Which answers another stage might better, bool [n]."""
        count = len(answers.events)
        if answers.ran.variant not in self._stages.variants[:-1]:
            return np.zeros(count, np.bool_)
        return self._stages.doubt.of(answers.outputs, count)

    def _judged(
        self, answers: Answers, unsure: BoolArray, now_ns: int
    ) -> Iterator[tuple[Answers, BoolArray]]:
        """Answers by what they are worth: the sure ones, and the unsure ones with those that the next stage is asked about."""
        variant = answers.ran.variant
        if not unsure.all():
            sure = answers.take(np.flatnonzero(~unsure))
            self._count(variant, "sure", len(sure.events))
            yield sure, np.zeros(len(sure.events), np.bool_)
        if unsure.any():
            rest = answers.take(np.flatnonzero(unsure)).as_outcome(Outcome.DEGRADED)
            stage = self._stages.variants.index(variant) + 1
            asked = self._scheduler.wanted(stage, rest.events.deadline_ns, now_ns)
            self._count(variant, "no_time", int(np.count_nonzero(~asked)))
            for start, stop in pairwise(_bounds(rest.events.partition)):
                rows = start + np.flatnonzero(asked[start:stop])
                if len(rows):
                    some = rest.events.take(rows)
                    offered = self._offering.of(some, int(some.partition[0]))
                    self._scheduler.escalate(stage, offered, now_ns)
            yield rest, asked

    def _hold(self, answers: Answers, asked: BoolArray, now_ns: int) -> None:
        events = answers.events
        group = events.partition
        if self._ordering == "key":
            group = key_hashes(events.key.tolist(), events.number)
        due_ns = events.deadline_ns - (self._scheduler.send_ns + self._stages.early_ns)
        # What is late already, and only waits for others, is no reason to take less of them.
        due_ns = np.where((due_ns <= now_ns) & ~asked, _NEVER_NS, due_ns)
        if asked.any():  # what is asked about only to see how long it takes is not waited for
            stage = self._stages.variants.index(answers.ran.variant) + 1
            in_time = events.deadline_ns >= self._scheduler.answered_ns(stage, now_ns)
            due_ns = np.where(asked & ~in_time, now_ns, due_ns)
        self._held.add(answers, asked=asked, group=group, due_ns=due_ns)

    def _stand(self, number: Int64Array, verdict: Verdict) -> None:
        for variant, count in self._held.stand(number):
            self._count(variant, verdict, count)

    def _count(self, variant: int, verdict: Verdict, count: int) -> None:
        if count:
            self._accounts.judged(variant, verdict, count)

    def _release(self, now_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        for answers in self._held.release():
            effects += self._concluder.conclude(
                answers.events,
                _bounds(answers.events.partition),
                answers.outputs,
                answers.ran._replace(ended_ns=now_ns),
            )
        return effects


def _bounds(partition: Int64Array) -> list[int]:
    """Where each stretch of one partition begins, and the end."""
    return [0, *(np.flatnonzero(np.diff(partition)) + 1).tolist(), len(partition)]


def _row_by_row(outputs: Columns, n: int) -> bool:
    return all(array.ndim > 0 and len(array) == n for array in outputs.values())
