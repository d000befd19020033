"""What an objective counts: events, and the good ones of them, out of the books."""

from typing import Final, NamedTuple

from streamproc.core import Outcome
from streamproc.slo.options import Ending, Objective, endings
from streamproc.telemetry import Accounts

WANTED: Final[tuple[Ending, ...]] = ("on_time", "degraded", "late", "shed", "dead_letter")
"""The outcomes of events that wanted a decision."""


class Counts(NamedTuple):
    """Since the start: how many events there were, and how many of them were bad."""

    total: int
    bad: int


class LabelCounts(NamedTuple):
    """Since the start: decisions that their labels say were right and wrong."""

    right: int
    wrong: int


NO_LABELS: Final = LabelCounts(0, 0)


def good_endings(objective: Objective) -> tuple[Ending, ...]:
    """The outcomes that are good, of an objective that is about outcomes."""
    if objective.good:
        good = endings(objective.good)
        return tuple(word for word in WANTED if word in good)
    bad = endings(objective.bad)
    return tuple(word for word in WANTED if word not in bad)


def count(objective: Objective, accounts: Accounts, labels: LabelCounts = NO_LABELS) -> Counts:
    """What an objective counts in the books.

    Args:
        objective: whose latency is a bound of the books' histograms.
        accounts: the books.
        labels: what the labels of this objective said.

    Raises:
        ValueError: its latency is no bound of the histograms.
    """
    if objective.labels is not None:
        return Counts(labels.right + labels.wrong, labels.wrong)
    if objective.latency is not None:
        return _within(accounts, int(objective.latency), fresh=False)
    if objective.freshness is not None:
        return _within(accounts, int(objective.freshness), fresh=True)
    by_lane = accounts.lane_outcomes
    lanes = by_lane.values() if objective.lane is None else [by_lane[objective.lane]]
    good = good_endings(objective)
    ended = {word: sum(lane[Outcome[word.upper()]] for lane in lanes) for word in WANTED}
    total = sum(ended.values())
    return Counts(total, total - sum(ended[word] for word in good))


def _within(accounts: Accounts, bound_ns: int, *, fresh: bool) -> Counts:
    histogram = accounts.stages["broker"] if fresh else accounts.e2e
    (within,) = histogram.cumulative([bound_ns])
    return Counts(histogram.count, histogram.count - within)
