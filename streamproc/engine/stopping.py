"""Batches that run for so long that they are worth nothing any more: when they are stopped, and what is saved of them."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np

from streamproc.core import BoolArray, Columns, Int64Array, ModelError, Reason
from streamproc.engine.effects import Infer, Stop
from streamproc.engine.isolate import Span
from streamproc.engine.rescue import Rescued
from streamproc.scheduling import Scheduler

OVERDUE: Final = 1.3
"""A batch that takes no longer than so many times what it was planned to is not stopped for a cheaper variant: it is as good
as done."""
REACTION_NS: Final = 1_000_000
"""From the instant at which a batch is to be stopped to the beginning of the cheaper one: about one operator."""


class Stopping:
    """Says when batches are to be stopped.

    Args:
        scheduler: knows how long batches take.
        variants: how many the model has.
        late: whether a decision that is late is worth something, so that no batch is stopped for being late alone.
    """

    def __init__(self, scheduler: Scheduler, *, variants: int, late: bool) -> None:
        self._scheduler = scheduler
        self._variants = variants
        self._late = late

    def of(self, deadline_ns: Int64Array, *, variant: int, size: int, now_ns: int) -> Stop | None:
        """When a batch that begins now is to be stopped; None for never.

        As long as it may still be useful it runs on: until the last moment at which a cheaper variant, begun in its place,
        could be in time, if by then it is overdue; else until no event of it can be in time.

        Args:
            deadline_ns: int64 [n], of its events.
            variant: which one runs it.
            size: what it costs the executor.
            now_ns: the present instant.
        """
        by_ns = deadline_ns - self._scheduler.send_ns
        last_ns = int(by_ns.max())
        predict_ns = self._scheduler.predict_ns
        cheaper = [(other, predict_ns(other, size)) for other in range(variant + 1, self._variants)]
        if cheaper:
            save_ns = last_ns - min(took_ns for _, took_ns in cheaper) - REACTION_NS
            if save_ns > now_ns + OVERDUE * predict_ns(variant, size):
                return Stop(save_ns, by_ns, cheaper)
        if self._late or last_ns <= now_ns:
            return None
        return Stop(last_ns, by_ns)


def salvage(
    run: Callable[[int, Columns], Columns], infer: Infer, error: ModelError, now_ns: int
) -> tuple[Rescued | ModelError, int]:
    """Let a cheaper variant answer what can still be in time of a batch that was stopped.

    Args:
        run: runs a variant.
        infer: the batch.
        error: how it was stopped; the events that cannot be saved have it.
        now_ns: the present instant.

    Returns:
        what became of the batch, and the variant that answered.

    Raises:
        Exception: whatever the cheaper variant raises.
    """
    stop = infer.stop
    if stop is None or not stop.cheaper:
        return error, infer.variant
    by_variant = [(variant, stop.by_ns >= now_ns + took_ns) for variant, took_ns in stop.cheaper]
    variant, saved = max(by_variant, key=lambda one: int(np.count_nonzero(one[1])))
    if not saved.any():
        return error, infer.variant
    rows = np.flatnonzero(saved)
    outputs = run(variant, {name: array[rows] for name, array in infer.inputs.items()})
    rescued = Rescued()
    begin = 0
    for span, good in _stretches(saved):
        if good:
            end = begin + span.stop - span.start
            part = {name: array[begin:end] for name, array in outputs.items()}
            rescued.done.append((span, part))
            begin = end
        else:
            rescued.failed.append((span, error))
    return rescued, variant


def was_stopped(outcome: object) -> bool:
    """Whether a batch, or a part of it, was stopped."""
    if isinstance(outcome, Rescued):
        return any(was_stopped(error) for _, error in outcome.failed)
    return isinstance(outcome, ModelError) and outcome.reason == Reason.STOPPED


def _stretches(mask: BoolArray) -> list[tuple[Span, bool]]:
    """Neighbours that are alike."""
    cuts = [0, *(np.flatnonzero(np.diff(mask)) + 1).tolist(), len(mask)]
    return [(Span(start, stop), bool(mask[start])) for start, stop in pairwise(cuts)]
