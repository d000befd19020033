"""How well a variant decides: against the full model, and against what is true, each with its interval.

Neighbouring events of one source are alike: intervals are of bootstrap draws of whole groups (Efron and Tibshirani
1993), and a difference is drawn together, so that what both get wrong does not widen it.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from streamproc.core import Array, BoolArray, Int64Array

_DRAWS = 2_000
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a variant decides on events that nothing was fitted to.

    Attributes:
        flips: the share of events on which it decides otherwise than the full model.
        flips_95: with its interval.
        accuracy: the share that it gets right; None where nothing is known to be true.
        accuracy_95: with its interval.
        loss: how much of the full model's accuracy it loses; below 0 where it gains.
        loss_95: with its interval.
    """

    flips: float
    flips_95: Interval
    accuracy: float | None = None
    accuracy_95: Interval | None = None
    loss: float | None = None
    loss_95: Interval | None = None


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Draws of whole groups.

    Attributes:
        group: int64 [n], the group of each event, from 0.
        counts: int64 [draws, groups], how often a draw takes each.
    """

    group: Int64Array
    counts: Int64Array

    @classmethod
    def of(cls, groups: Array, seed: int = 0) -> "Bootstrap":
        """Draw as many groups as there are, with replacement.

        Args:
            groups: [n], the group of each event, by any name.
            seed: of the draws.
        """
        names, place = np.unique(groups, return_inverse=True)
        total = len(names)
        generator = np.random.default_rng(seed)
        counts = generator.multinomial(total, np.full(total, 1 / total), size=_DRAWS)
        return cls(place.astype(np.int64), counts.astype(np.int64))

    def interval(self, values: Array) -> Interval:
        """The 2.5% and 97.5% points of the mean of values [n]."""
        sums = np.bincount(self.group, weights=values, minlength=self.counts.shape[1])
        sizes = np.bincount(self.group, minlength=self.counts.shape[1])
        means = (self.counts @ sums) / (self.counts @ sizes)
        low, high = np.quantile(means, (0.025, 0.975))
        return float(low), float(high)


def decisions(outputs: Array) -> Array:
    """What is decided, of the output that decides [n, classes]: the place of the highest; of one column, its sign."""
    flat = outputs.astype(np.float64).reshape(len(outputs), -1)
    if flat.shape[1] == 1:
        return np.asarray(flat[:, 0] > 0)
    return np.asarray(flat.argmax(axis=1))


def judge(given: Array, full: Array, truth: Array | None, bootstrap: Bootstrap) -> Judgement:
    """Judge a variant.

    Args:
        given: [n], its decisions.
        full: [n], the full model's.
        truth: [n], what is true; None where that is not known.
        bootstrap: of the same events.
    """
    flipped: BoolArray = given != full
    flips, flips_95 = float(flipped.mean()), bootstrap.interval(flipped)
    if truth is None:
        return Judgement(flips, flips_95)
    right, was_right = given == truth, full == truth
    lost = was_right.astype(np.float64) - right
    return Judgement(
        flips,
        flips_95,
        float(right.mean()),
        bootstrap.interval(right),
        float(lost.mean()),
        bootstrap.interval(lost),
    )
