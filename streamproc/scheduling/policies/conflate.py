"""Conflate: of the events of a key only the newest counts, as with prices."""

import numpy as np

from streamproc.core import BoolArray, Int64Array


def superseded(key: Int64Array) -> BoolArray:
    """Mark the events behind which a newer one of the same key stands.

    Args:
        key: int64 [n], hashes of the keys, the newest event last.

    Returns:
        bool [n], True where the event is not the newest of its key.
    """
    _, newest = np.unique(key[::-1], return_index=True)
    marked = np.ones(len(key), np.bool_)
    marked[len(key) - 1 - newest] = False
    return marked
