"""Sums whose bits do not depend on how many are calculated together."""

import numpy as np

from streamproc.core import Float64Array


def running_sum(values: Float64Array) -> Float64Array:
    """The sum of each row, added from the first to the last (float64 [n] of [n, m]).

    ``numpy.sum`` adds pairwise, and in which pairs depends on the array's shape and layout; an accumulation has
    to pass through every partial sum, so it has one order only.
    """
    if not values.shape[1]:
        return np.zeros(len(values))
    total: Float64Array = np.add.accumulate(values, axis=1)[:, -1]
    return total
