"""Runs of the model, from the choice of their events to what is concluded of them."""

from dataclasses import replace
from itertools import accumulate, pairwise

from streamproc.core import Columns, EventBatch
from streamproc.engine.arms import usable
from streamproc.engine.conclude import Ran
from streamproc.engine.effects import Effect, Infer
from streamproc.engine.in_flight import Finished, InFlight, batch_run
from streamproc.engine.parts import EngineParts
from streamproc.engine.pending import PendingEvents
from streamproc.engine.requests import apart, none_of, split, with_rows
from streamproc.engine.rescue import Rescued, parts_of
from streamproc.engine.restoring import Restoring
from streamproc.engine.turns import Turns
from streamproc.scheduling import Run


class Runs:
    """Makes a run of what the scheduler chose, and hands its events on to be decided about when it has ended.

    Args:
        parts: what the engine is made of.
        pending: where events wait for their runs.
        turns: the runs that are under way.
        restore: runs the model over what was decided about before.
        batch_room: the largest micro-batch.

    Attributes:
        batch_room: the same; a reload may change it.
    """

    def __init__(
        self,
        parts: EngineParts,
        pending: PendingEvents,
        turns: Turns,
        restore: Restoring,
        *,
        batch_room: int,
    ) -> None:
        self._accounts = parts.accounts
        self._concluder = parts.concluder
        self._escalation = parts.escalation
        self._requests = parts.requests
        self._rollout = parts.rollout
        self._stateful = parts.stateful
        self._stopping = parts.stopping
        self._pending = pending
        self._turns = turns
        self._restore = restore
        self.batch_room = batch_room

    def start(self, run: Run, now_ns: int) -> Effect:
        """Begin a run that the scheduler chose."""
        encoders, own = self._concluder.encoders, run.arm != 0
        begun = None if self._stateful is None else self._stateful.begin(run.number)
        self._accounts.batch(len(run.number), run.reason, room=self.batch_room)
        if run.stage and self._escalation is not None:
            return self._escalation.start(run, encoders, now_ns)
        parts, asked, told = self._pending.take(run.number), None, None
        requests = self._requests
        if requests is not None and (requests.waiting or requests.like is None):
            parts, rows = apart(parts)
            asked, told = requests.begin(parts, rows)
        events = EventBatch.concatenate(parts) if parts else none_of(asked)
        bounds = list(accumulate(map(len, parts), initial=0))
        under_way = InFlight(
            events,
            bounds,
            now_ns,
            run.reason,
            run.variant,
            encoders,
            run.arm,
            own,
            begun,
            told,
        )
        self._turns.begin(run.run, under_way)
        if len(parts) == 1:  # they were admitted together
            waited_ns = now_ns - int(events.admitted_ns[0])
            self._accounts.stage_constant("queue", waited_ns, len(events))
        else:
            self._accounts.stage("queue", now_ns - events.admitted_ns)
        inputs, deadline_ns, stop = events.inputs, events.deadline_ns, None
        if begun is not None:
            inputs = inputs | begun.inputs
        if asked is not None:
            inputs, deadline_ns = with_rows(events, asked)
        size = len(deadline_ns)
        if self._stopping is not None and not own:
            stop = self._stopping.of(
                deadline_ns, variant=run.variant, size=run.cost or size, now_ns=now_ns
            )
        first_ns = int(deadline_ns.min())
        ladder = 0 if own else self._rollout.ladder
        return Infer(run.run, size, inputs, run.variant, run.cost, first_ns, ladder, stop=stop)

    def instead(
        self, run: int, outputs: Columns | Exception | Rescued, finished_ns: int
    ) -> list[Effect] | None:
        """What follows of a run of which nothing is to be concluded; None where it is.

        It was of what had been decided about before, ran aside, was given up, or the model itself stands in.
        """
        if self._restore.ended(run, outputs, finished_ns):
            return []
        if run < 0:
            if not isinstance(outputs, Rescued):
                self._rollout.aside_ended(run, outputs, finished_ns)
            return []
        if self._escalation is not None and self._escalation.runs(run):
            return None
        in_flight = self._turns.of(run)
        if in_flight is None:
            return [] if self._rollout.is_gone(run) else None
        if not in_flight.own or self._tried(in_flight, outputs, finished_ns):
            return None
        self._turns.begin(
            run, replace(in_flight, variant=0, own=False, encoders=self._concluder.encoders)
        )
        events = in_flight.events
        first_ns = int(events.deadline_ns.min())
        ladder = self._rollout.ladder
        return [Infer(run, len(events), events.inputs, deadline_ns=first_ns, ladder=ladder)]

    def _tried(
        self, in_flight: InFlight, outputs: Columns | Exception | Rescued, finished_ns: int
    ) -> bool:
        """Whether a model that is tried gave what can be decided by."""
        good = usable(outputs, len(in_flight.events))
        self._rollout.tried(in_flight, failed=not good, now_ns=finished_ns)
        return good

    def abandon(self, arm: int) -> list[EventBatch]:
        """Forget an arm's runs that are under way; gives their events, each part of one partition."""
        return [
            run.events.take(slice(start, stop, None))
            for run in self._turns.abandon(arm)
            for start, stop in pairwise(run.bounds)
        ]

    def conclude(self, run: int, finished: Finished) -> list[Effect]:
        """Decide about a run's events; where order is kept, after those of all runs before it."""
        if self._escalation is not None and self._escalation.runs(run):
            return self._escalation.ended(run, finished)
        under_way = self._turns.of(run)
        if self._stateful is not None and under_way is not None and under_way.begun is not None:
            # At once: the next events of these keys need not wait until its turn comes to be decided about.
            outputs = self._stateful.ended(under_way.begun, finished.outputs)
            finished = replace(finished, outputs=outputs)
        conclude = self._concluder.conclude if self._escalation is None else self._escalation.first
        effects: list[Effect] = []
        for number, in_flight, ended in self._turns.end(run, finished):
            size, took_ns = len(in_flight.events), ended.finished_ns - in_flight.started_ns
            self._accounts.stage_constant("infer", took_ns, size)
            variant = in_flight.variant if ended.variant is None else ended.variant
            self._accounts.run(variant, size, took_ns)
            ran = Ran(
                in_flight.started_ns,
                finished.finished_ns,
                variant,
                in_flight.encoders,
                batch_run(number, in_flight, ended, variant),
                degraded=variant > 0 and not in_flight.own,
            )
            outputs = ended.outputs
            if in_flight.asked is not None and self._requests is not None:
                outputs, theirs = split(outputs, size, size + len(in_flight.asked.number))
                now_ns = finished.finished_ns
                self._requests.conclude(in_flight.asked, theirs, variant=variant, now_ns=now_ns)
            if size:
                for part in parts_of(in_flight.events, in_flight.bounds, outputs):
                    effects += conclude(*part, ran)
        return effects
