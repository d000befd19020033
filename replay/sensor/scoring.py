"""Scores of the sensor task with intervals that respect what belongs together.

Neighbouring windows overlap, and those of one recording are one person doing one thing: drawing windows one
by one would give intervals that are far too narrow. Whole groups (recordings, or people) are drawn instead.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from replay.sensor.dataset import Float64Array, IntArray

DRAWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of windows and how often each bootstrap draw takes them.

    Attributes:
        group: int64 [n], the group of each window, 0-based.
        counts: int64 [DRAWS, groups], how often a draw takes a group.
    """

    group: IntArray
    counts: IntArray

    @classmethod
    def draw(cls, group: IntArray, generator: np.random.Generator) -> "Groups":
        """Draw as many groups as there are with replacement, DRAWS times.

        Args:
            group: int64 [n], any numbers.
            generator: where the draws come from.
        """
        names, place = np.unique(group, return_inverse=True)
        total = len(names)
        return cls(place, generator.multinomial(total, np.full(total, 1 / total), size=DRAWS))

    def accuracy(self, right: Any) -> tuple[float, Float64Array]:  # noqa: ANN401 - bool [n]
        """The share of windows that are right, and the same of each draw, float64 [DRAWS]."""
        hits = np.bincount(self.group, weights=right)
        sizes = np.bincount(self.group)
        return float(np.mean(right)), (self.counts @ hits) / (self.counts @ sizes)


def interval(values: Float64Array) -> list[float]:
    """The 2.5% and 97.5% points of the bootstrap draws, to 4 decimals."""
    return [round(float(point), 4) for point in np.quantile(values, (0.025, 0.975))]


def compared(truth: IntArray, call_by_name: dict[str, IntArray], groups: Groups) -> dict[str, Any]:
    """The accuracy of each predictor, and how far the first leads the others, from the same draws.

    Args:
        truth: int64 [n].
        call_by_name: what each predictor says, int64 [n].
        groups: what is drawn together.
    """
    result: dict[str, Any] = {}
    first: tuple[float, Float64Array] | None = None
    for name, call in call_by_name.items():
        point, draws = groups.accuracy(call == truth)
        result[name] = {"accuracy": round(point, 4), "interval_95": interval(draws)}
        if first is None:
            first = (point, draws)
        else:
            result[name]["model_leads_by"] = round(first[0] - point, 4)
            result[name]["lead_interval_95"] = interval(first[1] - draws)
    return result


def majority(call: IntArray, group: IntArray) -> IntArray:
    """The commonest call of each group, by ascending group; of equals the first class."""
    return np.array([np.bincount(call[group == one]).argmax() for one in np.unique(group)])
