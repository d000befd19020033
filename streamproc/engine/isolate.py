"""Find the events on which the user's code fails, so that the others do not suffer."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

T = TypeVar("T")
CALLS_MAX = 64
"""Calls that one batch may cost: enough to find 5 culprits among 256 (2 * log2(256) calls each). Beyond
that, what is left fails as a whole."""


class Span(NamedTuple):
    """Rows from ``start`` up to ``stop``."""

    start: int
    stop: int


def isolate(
    call: Callable[[Span], T], count: int
) -> tuple[list[tuple[Span, T]], list[tuple[Span, Exception]]]:
    """Call a function over all rows; where it raises, over its halves, down to the rows at fault.

    Args:
        call: a pure function of the rows named.
        count: how many rows there are.

    Returns:
        the spans that went well with their results, and those that did not with the exception; each in
        order of the rows.
    """
    done: list[tuple[Span, T]] = []
    failed: list[tuple[Span, Exception]] = []
    waiting = [Span(0, count)]
    calls = 0
    while waiting:
        span = waiting.pop()
        calls += 1
        try:
            result = call(span)
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            if span.stop - span.start == 1 or calls + len(waiting) + 2 > CALLS_MAX:
                failed.append((span, error))
            else:
                middle = (span.start + span.stop) // 2
                waiting += (Span(middle, span.stop), Span(span.start, middle))
        else:
            done.append((span, result))
    return done, failed


def cut(span: Span, bounds: Sequence[int]) -> list[Span]:
    """The span cut at the bounds that lie in it."""
    cuts = [span.start, *(b for b in bounds if span.start < b < span.stop), span.stop]
    return [Span(start, stop) for start, stop in pairwise(cuts)]


def text_of(error: Exception) -> str:
    """An exception as one line for people."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's exception may raise itself
        return name
    return f"{name}: {text}" if text else name
