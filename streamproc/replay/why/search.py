"""The smallest change of each kind that would have saved an event, found by running the scheduler again."""

from bisect import bisect_left
from collections.abc import Sequence

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
from streamproc.replay.why.setting import Setting, share_in_time

_BEGINS = (1.0, 0.86, 0.73, 0.61, 0.5)
"""How much of the time before the event each rerun begins with. When a batch begins depends on all batches before it,
so an event at the edge is saved or not by chance; a change must save it wherever the rerun begins."""


def reruns(setting: Setting) -> list[Setting]:
    """The same event with more and less of what came before it; the first is the whole."""
    before_ns = setting.arrival_ns - int(setting.window.traffic.arrival_ns[0])
    return [setting.since(setting.arrival_ns - int(part * before_ns)) for part in _BEGINS]


def smallest_changes(settings: Sequence[Setting], *, burst_since_ns: int) -> list[Change]:
    """The changes that put the event in time in all reruns, the least one first.

    Args:
        settings: the event's reruns, see ``reruns``.
        burst_since_ns: since when more came than the executors could do.

    Returns:
        one of each kind that can save it; empty where none can.
    """
    first = settings[0]
    kinds: list[Kind] = [
        EarlyDrop(first),
        LargerBatches(first),
        CheaperVariant(first),
        MoreExecutors(first),
        MoreBudget(first),
        QuickerModel(first),
        FewerEvents(first, burst_since_ns),
    ]
    found = [change for kind in kinds if (change := _smallest(kind, settings)) is not None]
    return sorted(found, key=lambda change: change.relative)


def _smallest(kind: Kind, settings: Sequence[Setting]) -> Change | None:
    """The least size with which the event is in time in all reruns.

    More of a change is taken to be better: so half of the sizes are ruled out by a rerun. Where that is wrong (a
    schedule is no smooth thing), a size is found that is not the very least.
    """
    sizes = kind.sizes

    def saves(size: float) -> bool:
        return kind.of(settings[0], size).setting.outcome in IN_TIME

    if not sizes or not saves(sizes[-1]):
        return None
    least = bisect_left(sizes, True, hi=len(sizes) - 1, key=saves)  # noqa: FBT003 - what is looked for
    for size in sizes[least:]:
        if share_in_time([kind.of(one, size).setting for one in settings]) == 1.0:
            return kind.of(settings[0], size)
    return None
