"""What a model gave that carries state: the state apart from what is decided of, and seen to be such."""

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from streamproc.core import Columns, ModelError, Reason, StateSpec
from streamproc.engine.intake import finite_rows
from streamproc.engine.isolate import Span
from streamproc.engine.rescue import Rescued

_NOT_FINITE = "the model's output or its state holds a NaN or an infinity"


def checked(
    outputs: Columns | Exception | Rescued, specs: Sequence[StateSpec], count: int
) -> Columns | Exception | Rescued:
    """The outputs of a run; an event fails whose answer or state is not finite, and all where the state is none.

    A NaN that was kept would be in all that follows of its key.

    Args:
        outputs: what became of the run.
        specs: the state.
        count: how many events it had.
    """
    if isinstance(outputs, Exception) or not specs:
        return outputs
    if not isinstance(outputs, Rescued):
        wrong = _unfit(outputs, specs, count)
        if wrong is not None:
            return ValueError(wrong)
        if finite_rows(outputs, count) is None:
            return outputs
        outputs = Rescued([(Span(0, count), outputs)])
    found = Rescued(failed=list(outputs.failed))
    for span, part in outputs.done:
        _divide(span, part, specs, found)
    found.failed.sort(key=lambda some: some[0])
    return found


def without_state(
    outputs: Columns | Exception | Rescued, specs: Sequence[StateSpec]
) -> Columns | Exception | Rescued:
    """The outputs that decisions are made of."""
    names = {spec.output for spec in specs}
    if isinstance(outputs, Exception):
        return outputs
    if isinstance(outputs, Rescued):
        done = [(span, _but(part, names)) for span, part in outputs.done]
        return Rescued(done, outputs.failed)
    return _but(outputs, names)


def _divide(span: Span, part: Columns, specs: Sequence[StateSpec], found: Rescued) -> None:
    """Tell the rows of a part that are finite from those that are not."""
    count = span.stop - span.start
    wrong = _unfit(part, specs, count)
    if wrong is not None:
        found.failed.append((span, ValueError(wrong)))
        return
    finite = finite_rows(part, count)
    if finite is None:
        found.done.append((span, part))
        return
    cuts = [0, *(np.flatnonzero(finite[1:] != finite[:-1]) + 1).tolist(), count]
    for start, stop in pairwise(cuts):
        rows = Span(span.start + start, span.start + stop)
        if finite[start]:
            some = {name: array[start:stop] for name, array in part.items()}
            found.done.append((rows, some))
        else:
            found.failed.append((rows, ModelError(Reason.NOT_FINITE, _NOT_FINITE)))


def _unfit(outputs: Columns, specs: Sequence[StateSpec], count: int) -> str | None:
    """What is wrong with the state that was given for so many events; None where nothing is."""
    for spec in specs:
        made = outputs.get(spec.output)
        if made is None:
            return f"the model gave no {spec.output!r}"
        if made.shape != (count, *spec.shape):
            wanted = [count, *spec.shape]
            return f"the model gave {list(made.shape)} as {spec.output!r}, {wanted} was expected"
    return None


def _but(columns: Columns, names: Collection[str]) -> Columns:
    return {name: array for name, array in columns.items() if name not in names}
