"""Shares of what was counted, and how sure they are."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

_Z = NormalDist().inv_cdf(0.975)
"""95 percent, two-sided."""


class Interval(NamedTuple):
    """Between which shares the true one lies, with 95 percent confidence."""

    low: float
    high: float


def wilson(part: int, whole: int) -> Interval:
    """The Wilson score interval of a share (Wilson 1927); 0 to 1 where nothing was counted.

    Unlike the normal approximation it is right for few and for none: 0 of 1,000 may be 0.38 percent.
    """
    if not whole:
        return Interval(0.0, 1.0)
    share, weight = part / whole, _Z * _Z / whole
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * sqrt(share * (1 - share) / whole + weight / (4 * whole))
    # At the ends they are exact; rounding would leave 1e-18 there.
    return Interval(0.0 if part == 0 else middle - half, 1.0 if part == whole else middle + half)
