"""Models that are tried beside the one that decides: whose events are whose, what they did, and when one is taken back."""

import logging
from collections.abc import Iterable
from typing import Final

import numpy as np

from streamproc.codecs import Outputs
from streamproc.core import (
    BoolArray,
    Columns,
    EventBatch,
    Int64Array,
    Outcome,
    TopicPartition,
    all_true,
)
from streamproc.engine.arms import RunningArm, TakenBack
from streamproc.engine.comparer import Compared, Comparer, OnCompared, Waiting
from streamproc.engine.conclude import Ran
from streamproc.engine.decide import Decider
from streamproc.engine.effects import Infer
from streamproc.engine.in_flight import InFlight
from streamproc.engine.judge import CanaryJudge, Verdict
from streamproc.engine.partitions import PartitionTable
from streamproc.engine.rollout_plan import ArmPlan, RolloutPlan, ShadowPlan
from streamproc.engine.shares import KeyPlaces, Span, arms_at
from streamproc.engine.turns import Turns
from streamproc.scheduling import ArmedScheduler, ArmSpec, arm_of
from streamproc.telemetry import RolloutBooks

log = logging.getLogger(__name__)

BASE_ARM: Final = "base"
"""The arm of the model itself, in metrics."""
REFERENCE_QUEUE: Final = 4_096
"""Events of a canary that wait to be compared at most."""
_MISSED: Final = frozenset((Outcome.LATE, Outcome.SHED, Outcome.DEAD_LETTER))


class Rollout:
    """Belongs to one engine.

    Args:
        scheduler: gets an arm for each model that decides.
        partitions: the owned partitions.
        decider: makes decisions of any model's outputs.
        books: where all is counted.

    Attributes:
        told: is told of each comparison.
        taken_back: by their identity, the canaries that were taken back, and why.
        because: why the canary is to be taken back, once somebody else says so.
        active: whether there is anything to look after.
    """

    def __init__(
        self,
        *,
        scheduler: ArmedScheduler,
        partitions: PartitionTable,
        decider: Decider,
        books: RolloutBooks,
    ) -> None:
        self._scheduler = scheduler
        self._partitions = partitions
        self._decider = decider
        self.books = books
        self.told: OnCompared = _nobody
        self._plan = RolloutPlan(ladder=1)
        self._arms: dict[int, RunningArm] = {}
        self._numbers = 0
        self._names = {0: BASE_ARM}
        """By number: what one of them was to decide may end when it is no more."""
        self._spans: list[Span] = []
        self._places = KeyPlaces("")
        self._shadow: Comparer | None = None
        self._shadow_places = KeyPlaces("")
        self.taken_back: dict[str, TakenBack] = {}
        self._barriers: dict[int, int] = {}
        """By arm: nothing of it is started while events of the model itself with a lower number have no decision."""
        self._asides = 0
        self.because: Verdict | None = None
        self.active = False

    @property
    def ladder(self) -> int | None:
        """How many of the executors are variants of the model itself; None where all are."""
        return self._plan.ladder if self._plan.arms or self._plan.shadow else None

    @property
    def shadow(self) -> ShadowPlan | None:
        """The shadow; None where there is none."""
        return self._plan.shadow

    @property
    def canary(self) -> str | None:
        """The identity of the canary that decides; None where there is none, or it was taken back."""
        judged = [arm.plan.identity for arm in self._arms.values() if arm.judge is not None]
        return judged[0] if judged else None

    def forgive(self, identities: Iterable[str]) -> None:
        """Let the next change of the plan begin canaries anew that were taken back."""
        for identity in identities:
            self.books.said.pop(self.taken_back.pop(identity).canary, None)

    def ending(self, plan: RolloutPlan) -> list[int]:
        """The arms that another plan has no more: they are to be retired before the change."""
        if plan.salt != self._plan.salt:
            return list(self._arms)
        kept = [(arm.identity, arm.low, arm.high) for arm in plan.arms]
        return [
            number
            for number, arm in self._arms.items()
            if (arm.plan.identity, arm.plan.low, arm.plan.high) not in kept
        ]

    def change(self, plan: RolloutPlan, first_number: int) -> None:
        """Go on with another plan; an arm that is the same goes on.

        Args:
            plan: all of it.
            first_number: of the events that are still to come.
        """
        going_on = {arm.plan.identity: arm for arm in self._arms.values()}
        self._plan = plan
        self._places = KeyPlaces(f"arms {plan.salt}")
        self._shadow_places = KeyPlaces(f"shadow {plan.salt}")
        for arm in plan.arms:
            if arm.identity in going_on:
                # The executors were loaded anew, and may stand elsewhere.
                old = going_on[arm.identity]
                old.plan = arm
                self._scheduler.replace_arm(ArmSpec(old.number, arm.variant, arm.level))
                self._set_comparer(old)
            elif arm.identity not in self.taken_back:
                self._begin(arm)
                self._hold(self._numbers, first_number)
        self._set_shadow()
        self._set_spans()

    def _hold(self, number: int, first_number: int) -> None:
        """Keep an arm from starting while the model itself has events that came before its keys changed to it."""
        self._barriers[number] = first_number
        self._scheduler.held.add(number)

    def _begin(self, plan: ArmPlan) -> None:
        self._numbers += 1
        arm = RunningArm(plan, self._numbers, plan.low)
        self._names[arm.number] = plan.name
        self._scheduler.add_arm(ArmSpec(arm.number, plan.variant, plan.level))
        if plan.canary is not None:
            arm.judge = CanaryJudge(plan.canary.limits)
            arm.steps = list(plan.canary.steps)
        self._arms[arm.number] = arm
        self._set_comparer(arm)

    def _set_comparer(self, arm: RunningArm) -> None:
        """Compare a canary with the copy that was loaded last; what waited for another is not compared."""
        if arm.comparer is not None:
            arm.comparer.forget()
        canary, name = arm.plan.canary, arm.plan.name
        arm.comparer = None
        if canary is not None and canary.reference is not None:
            arm.comparer = self._comparer(name, canary.reference, canary.tolerance, REFERENCE_QUEUE)

    def _set_shadow(self) -> None:
        if self._shadow is not None:
            self._shadow.forget()
        plan = self._plan.shadow
        self._shadow = None
        if plan is not None:
            self._shadow = self._comparer(plan.name, plan.level, plan.tolerance, plan.max_queue)

    def _comparer(self, candidate: str, level: int, tolerance: float, max_queue: int) -> Comparer:
        return Comparer(
            candidate=candidate,
            level=level,
            decider=self._decider,
            tolerance=tolerance,
            max_queue=max_queue,
            books=self.books.of(candidate),
            told=self._told,
        )

    def _told(self, compared: Compared) -> None:
        self.told(compared)

    def _set_spans(self) -> None:
        self.active = bool(self._arms) or self._shadow is not None
        self._spans = [Span(arm.number, arm.low, arm.plan.high) for arm in self._arms.values()]
        shares = {arm.plan.name: arm.plan.high - arm.low for arm in self._arms.values()}
        if self._plan.arms:  # what was taken back has none
            rest = 1.0 - sum(shares.values())
            gone = {arm.name: 0.0 for arm in self._plan.arms if arm.name not in shares}
            shares = {BASE_ARM: rest, **shares, **gone}
        self.books.shares = {name: round(share, 9) for name, share in shares.items()}

    def forget(self, number: int) -> None:
        """An arm is no more."""
        arm = self._arms.pop(number)
        self._barriers.pop(number, None)
        if arm.comparer is not None:
            arm.comparer.forget()
        self._set_spans()

    def assign(self, events: EventBatch, source: TopicPartition) -> EventBatch:
        """The events of one partition, each to be decided by the model whose share its key is in."""
        if not self._plan.arms:
            return events
        if not self._spans:
            return events.of_arms(np.zeros(len(events), np.int64))
        return events.of_arms(arms_at(self._places.of(events, source), self._spans))

    def is_gone(self, run: int) -> bool:
        """Whether a run was of an arm that is no more."""
        number = arm_of(run)
        return number != 0 and number not in self._arms

    def tried(self, in_flight: InFlight, *, failed: bool, now_ns: int) -> None:
        """A run of an arm has ended, in vain or not."""
        arm = self._arms.get(in_flight.arm)
        if arm is None:
            return
        count = len(in_flight.events)
        if arm.since_ns is None:
            arm.since_ns = now_ns
        if failed:
            self.books.failed[arm.plan.name] += count
        if arm.judge is not None:
            arm.judge.failed.count(count, count * failed, now_ns)

    def decided(self, events: EventBatch, decisions: Outputs, ran: Ran) -> None:
        """Events of one partition were decided; see ``Concluder.watch``."""
        owner = self._partitions.at(int(events.partition[0])) if self.active else None
        if owner is None:
            return
        arm = None if events.arm is None else self._arms.get(int(events.arm[0]))
        if arm is not None and arm.comparer is not None and ran.variant == arm.plan.level:
            arm.comparer.offer(Waiting(owner.id_prefix, events, decisions, ran.variant))
        plan = self._plan.shadow
        if plan is None or self._shadow is None:
            return
        chosen: BoolArray = self._shadow_places.of(events, owner.source) < plan.share
        if all_true(chosen):
            self._shadow.offer(Waiting(owner.id_prefix, events, decisions, ran.variant))
        elif chosen.any():
            rows = np.flatnonzero(chosen)
            waiting = Waiting(owner.id_prefix, events.take(rows), decisions.take(rows), ran.variant)
            self._shadow.offer(waiting)

    def ended(self, arms: Int64Array, outcome: Outcome, now_ns: int) -> None:
        """Events ended in this way; see ``Settlement.arms``."""
        for number, count in enumerate(np.bincount(arms).tolist() if len(arms) else []):
            if not count:
                continue
            self.books.outcomes[self._names[number], outcome] += count
            for arm in self._arms.values():
                if arm.judge is None:
                    continue
                judge = arm.judge
                share = judge.missed if number == arm.number else judge.others_missed
                share.count(count, count * (outcome in _MISSED), now_ns)

    def took(self, arms: Int64Array, took_ns: Int64Array) -> None:
        """Events took so long; see ``Settlement.took``."""
        for number in set(arms.tolist()):  # one, as a rule: a run is of one arm
            self.books.took(self._names[number], took_ns[arms == number])

    def look(self, turns: Turns, first_number: int, now_ns: int) -> list[int]:
        """See what is due; gives the arms that are to be retired, having been taken back.

        Args:
            turns: the runs that are under way.
            first_number: of the events that are still to come.
            now_ns: the present instant.
        """
        taken_back: list[int] = []
        if not self.active:
            self.because = None
            return taken_back
        if self._barriers:
            self._lift_barriers(turns)
        for number, arm in list(self._arms.items()):
            if arm.judge is None:
                continue
            verdict = self._verdict(arm, arm.judge, turns, now_ns)
            if verdict is not None:
                self._take_back(arm, verdict)
                taken_back.append(number)
            else:
                self._step(arm, first_number, now_ns)
        self.because = None
        return taken_back

    def wakes_by(self, wake_ns: int | None, turns: Turns) -> int | None:
        """When to look again although nothing has happened, at ``wake_ns`` at the latest; None for never."""
        found = [
            arm.judge.stalls_at(running[0].started_ns)
            for number, arm in self._arms.items()
            if arm.judge is not None and (running := turns.all_of(number))
        ]
        return min((at for at in (wake_ns, *found) if at is not None), default=None)

    def _verdict(
        self, arm: RunningArm, judge: CanaryJudge, turns: Turns, now_ns: int
    ) -> Verdict | None:
        if self.because is not None:
            return self.because
        running = turns.all_of(arm.number)
        stalled = judge.stalled(running[0].started_ns, now_ns) if running else None
        return stalled or judge.verdict(now_ns)

    def _take_back(self, arm: RunningArm, verdict: Verdict) -> None:
        name = arm.plan.name
        self.taken_back[arm.plan.identity] = TakenBack(name, *verdict)
        self.books.rollbacks[name, verdict.reason] += 1
        self.books.said[name] = verdict.words
        log.error(
            "canary %s is taken back: %s; the model itself decides about its keys until the configuration changes",
            name,
            verdict.words,
        )

    def _step(self, arm: RunningArm, first_number: int, now_ns: int) -> None:
        """Give a canary that has done well its next share: its keys stay, others come to them."""
        canary = arm.plan.canary
        if canary is None or not arm.steps or arm.since_ns is None:
            return
        if now_ns - arm.since_ns < canary.step_every_ns:
            return
        share = arm.steps.pop(0)
        arm.low, arm.since_ns = arm.plan.high - share, now_ns
        self._hold(arm.number, first_number)
        self._set_spans()
        log.warning("canary %s decides about %g of the keys now", arm.plan.name, share)

    def _lift_barriers(self, turns: Turns) -> None:
        """A key that changed to an arm must not overtake those of its events that the model itself still has."""
        oldest = [int(one.events.number.min()) for one in turns.all_of(0)]
        waiting = self._scheduler.oldest_waiting
        first = min(oldest if waiting is None else [*oldest, waiting], default=None)
        for number, barrier in list(self._barriers.items()):
            if first is None or first >= barrier:
                del self._barriers[number]
                self._scheduler.held.discard(number)

    def asides(self, turns: Turns, now_ns: int, until_ns: int | None) -> list[Infer]:
        """What is to be run aside now.

        A canary's copy of the model runs whenever it is free, in a process that waits for all others; a shadow only where
        no batch is under way and none is due before it would have ended.

        Args:
            turns: the runs that are under way.
            now_ns: the present instant.
            until_ns: when the next batch is due; None where nothing waits.
        """
        comparers = [arm.comparer for arm in self._arms.values() if arm.comparer is not None]
        wanted = [(one, None) for one in comparers]
        if self._shadow is not None and not len(turns):
            wanted.append((self._shadow, until_ns))  # type: ignore[arg-type]
        found = []
        for comparer, until in wanted:
            infer = comparer.start(-self._asides - 1, now_ns, until)
            if infer is not None:
                self._asides += 1
                found.append(infer)
        return found

    def aside_ended(self, run: int, outputs: Columns | Exception, now_ns: int) -> None:
        """What was run aside has ended."""
        if self._shadow is not None:
            self._shadow.ended(run, outputs, now_ns)
        for arm in self._arms.values():
            if arm.comparer is None or arm.judge is None:
                continue
            found = arm.comparer.ended(run, outputs, now_ns)
            if found is not None:
                differs = int(np.count_nonzero(found.differs))
                arm.judge.differed.count(len(found.differs), differs, now_ns)


def _nobody(_: Compared) -> None:
    """Is told in vain."""
