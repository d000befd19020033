"""The smallest change of each kind that would have saved an event, found by running the scheduler again."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

from streamproc.replay.simulation import IN_TIME
from streamproc.replay.why.changes import (
    Change,
    CheaperVariant,
    EarlyDrop,
    FewerEvents,
    Kind,
    LargerBatches,
    MoreBudget,
    MoreExecutors,
    QuickerModel,
)
from streamproc.replay.why.setting import Setting

_BEGINS = (1.0, 0.86, 0.73, 0.61, 0.5)
"""How much of the time before the event each rerun begins with. When a batch begins depends on all batches before it,
so an event at the edge is saved or not by chance; a change must save it wherever the rerun begins."""


def reruns(setting: Setting) -> list[Setting]:
    """The same event with more and less of what came before it; the first is the whole."""
    before_ns = setting.arrival_ns - int(setting.window.traffic.arrival_ns[0])
    return [setting.since(setting.arrival_ns - int(part * before_ns)) for part in _BEGINS]


def smallest_changes(settings: Sequence[Setting], *, burst_since_ns: int) -> list[Change]:
    """The changes that put the event in time in all reruns, the least one first.

    What comes after the event's deadline cannot change what becomes of it, unless that is moved.

    Args:
        settings: the event's reruns, see ``reruns``.
        burst_since_ns: since when more came than the executors could do.

    Returns:
        one of each kind that can save it; empty where none can.
    """
    until_due = [one.until_due for one in settings]
    first = until_due[0]
    kinds: list[tuple[Kind, Sequence[Setting]]] = [
        (EarlyDrop(first), until_due),
        (LargerBatches(first), until_due),
        (CheaperVariant(first), until_due),
        (MoreExecutors(first), until_due),
        (MoreBudget(first), settings),
        (QuickerModel(first), until_due),
        (FewerEvents(first, burst_since_ns), until_due),
    ]
    tried = (_smallest(kind, reruns_of_kind) for kind, reruns_of_kind in kinds)
    found = [change for change in tried if change is not None]
    return sorted(found, key=lambda change: change.relative)


def _smallest(kind: Kind, settings: Sequence[Setting]) -> Change | None:
    """The least size with which the event is in time in all reruns.

    More of a change is taken to be better: so half of the sizes are ruled out by one that does not help. Where that
    is wrong (a schedule is no smooth thing), a size is found that is not the very least.
    """
    sizes = kind.sizes

    @cache
    def saved(place: int, size: float) -> bool:
        return kind.of(settings[place], size).setting.outcome in IN_TIME

    shortest = len(settings) - 1  # and so the cheapest, which rules most sizes out

    def saves(size: float) -> bool:
        return saved(shortest, size)

    def saves_always(size: float) -> bool:
        return all(saved(place, size) for place in range(shortest, -1, -1))

    if not sizes or not saves(sizes[-1]):
        return None
    last = len(sizes) - 1
    least = bisect_left(sizes, True, hi=last, key=saves)  # noqa: FBT003 - what is looked for
    if not saves_always(sizes[least]):
        if least == last or not saves_always(sizes[last]):
            return None
        least = bisect_left(sizes, True, lo=least + 1, hi=last, key=saves_always)  # noqa: FBT003
    return kind.of(settings[0], sizes[least])
