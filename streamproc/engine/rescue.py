"""Find the events that a model fails on, so that the others get their decisions."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import Columns, EventBatch, Int64Array, ModelError, Reason
from streamproc.engine.isolate import CALLS_MAX, Span, text_of

DEATHS_MAX = 24
"""Processes that one batch may cost: two culprits among 256 need 2 + 2 * 8. Beyond that, what is left fails as
a whole, as it does when the breaker opens."""
_DEATHS = (Reason.MODEL_CRASHED, Reason.MODEL_TIMEOUT)

Run = Callable[[Columns], Columns]


@dataclass(slots=True)
class Rescued:
    """What became of a batch that failed as a whole.

    Attributes:
        done: the rows that were answered, with their outputs, in order of the rows.
        failed: those that were not, with what the model did on them, in order of the rows.
    """

    done: list[tuple[Span, Columns]] = field(default_factory=list)
    failed: list[tuple[Span, Exception]] = field(default_factory=list)


def rescue(run: Run, inputs: Columns, size: int, error: Exception) -> Rescued:
    """Try a batch that failed again, in halves, down to the rows at fault.

    A process that died may have been killed by somebody else: then the whole batch is tried once more. The
    halves of a span come one after the other, wide spans first: where a record is at fault, something is
    answered in every third call, and a breaker can tell it from a model that answers nothing. Where the
    first half is answered, the second is at fault, and is divided without being tried.

    Args:
        run: the model; raises where it fails.
        inputs: the model's inputs by name, each [size, ...].
        size: how many rows.
        error: how the batch failed.
    """
    search = _Search(run, inputs)
    whole = Span(0, size)
    if _is_reason(error, Reason.MODEL_UNAVAILABLE) or _is_reason(error, Reason.STOPPED):
        search.found.failed.append((whole, error))
    elif not _is_reason(error, Reason.MODEL_CRASHED) or not search.answered(whole):
        search.go_on(whole, search.error_of(whole, error))
    search.found.done.sort(key=lambda part: part[0])
    search.found.failed.sort(key=lambda part: part[0])
    return search.found


class _Search:
    """Looks for the rows at fault."""

    def __init__(self, run: Run, inputs: Columns) -> None:
        self.found = Rescued()
        self._run = run
        self._inputs = inputs
        self._errors: dict[Span, Exception] = {}
        self._calls = 0
        self._deaths = 0
        self._over = False

    def error_of(self, span: Span, otherwise: Exception) -> Exception:
        """How a span failed when it was tried."""
        return self._errors.get(span, otherwise)

    def answered(self, span: Span) -> bool:
        """Try a span, unless enough was tried; True where it is answered."""
        if self._over:
            return False
        self._calls += 1
        if self._calls >= CALLS_MAX:
            self._over = True
        count = span.stop - span.start
        try:
            part = {name: array[span.start : span.stop] for name, array in self._inputs.items()}
            outputs = self._run(part)
            _check_rows(outputs, count)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            self._errors[span] = error
            self._deaths += any(_is_reason(error, reason) for reason in _DEATHS)
            if _is_reason(error, Reason.MODEL_UNAVAILABLE) or self._deaths >= DEATHS_MAX:
                self._over = True
            return False
        self.found.done.append((span, outputs))
        return True

    def go_on(self, whole: Span, error: Exception) -> None:
        """Divide what fails until single rows are left, or enough was tried."""
        failing = deque([(whole, error)])
        while failing:
            span, error = failing.popleft()
            if self._over or span.stop - span.start == 1:
                self.found.failed.append((span, error))
                continue
            middle = (span.start + span.stop) // 2
            first, second = Span(span.start, middle), Span(middle, span.stop)
            if not self.answered(first):
                failing.append((first, self.error_of(first, error)))
                tried = True
            else:
                # What is at fault is in the second half; if that is one row, its own run has to show it.
                tried = second.stop - second.start == 1
            if not tried or not self.answered(second):
                failing.append((second, self.error_of(second, error)))


def _is_reason(error: Exception, reason: Reason) -> bool:
    return isinstance(error, ModelError) and error.reason == reason


def _check_rows(outputs: Columns, count: int) -> None:
    for name, array in outputs.items():
        if array.ndim == 0 or len(array) != count:
            msg = f"the model gave {list(array.shape)} as {name!r} for {count} events"
            raise ValueError(msg)


def reason_of(error: Exception) -> tuple[Reason | str, str]:
    """A model's failure as a dead letter's reason, and in words."""
    if isinstance(error, ModelError):
        return error.reason, error.detail
    return Reason.MODEL_FAILED, text_of(error)


def parts_of(
    events: EventBatch, bounds: Sequence[int], outputs: Columns | Exception | Rescued
) -> Iterator[tuple[EventBatch, list[int], Columns | Exception]]:
    """A run's events as those that were answered and those that were not.

    Args:
        events: of the run.
        bounds: where each partition's part begins, and the end.
        outputs: what became of the run.

    Yields:
        events, where each partition's part of them begins and the end, and what the model gave or did.
    """
    if not isinstance(outputs, Rescued):
        yield events, list(bounds), outputs
        return
    for span, error in outputs.failed:
        inside = np.clip(np.asarray(bounds), span.start, span.stop) - span.start
        part = events.take(slice(span.start, span.stop, None))
        yield part, np.unique(inside).tolist(), error
    if outputs.done:
        rows: Int64Array = np.concatenate([np.arange(*span) for span, _ in outputs.done])
        made = [columns for _, columns in outputs.done]
        joined = {name: np.concatenate([some[name] for some in made]) for name in made[0]}
        yield events.take(rows), np.unique(np.searchsorted(rows, bounds)).tolist(), joined
