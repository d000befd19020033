"""Which offsets of a partition are traced: those whose hash is small, and mostly that is known before they come."""

from bisect import bisect_left, bisect_right
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamproc.core import Int64Array

UInt64Array: TypeAlias = NDArray[np.uint64]

BLOCK: Final = 1 << 12
"""Offsets that are hashed together, ahead: 15 us, where the part of a micro-batch takes 5 however small it is."""
_BLOCKS_KEPT: Final = 4
_SPARSE: Final = 2**64 // 16
"""Where more are traced, it is quicker to hash what comes than to look for it."""
_GOLDEN, _STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)


class SampledOffsets:
    """The traced offsets of one partition.

    Args:
        seed: of the partition's hashes, 64 bits.
        below: a hash below it is traced, 0 to 2**64 - 1.
    """

    __slots__ = ("_below", "_blocks", "_seed", "_sparse")

    def __init__(self, seed: int, below: int) -> None:
        self._seed = np.uint64(seed)
        self._below = np.uint64(below)
        self._sparse = below <= _SPARSE
        self._blocks: dict[int, list[int]] = {}

    def rows(self, offset: Int64Array, row: Int64Array | None) -> list[int]:
        """The rows of these columns that are traced, ascending.

        Args:
            offset: int64 [n]; distinct where there are no rows.
            row: int64 [n], the events' rows within their records; None where each is one.
        """
        if row is not None:
            return self._small(_mixed(row, _mixed(offset, self._seed)))
        if self._sparse and len(offset):
            first, last = offset.item(offset.argmin()), offset.item(offset.argmax())
            if last - first < BLOCK:
                wanted = self._within(first, last)
                if not wanted:
                    return []
                if len(wanted) <= 2 + len(offset) // 32:
                    return _places(offset, wanted)
        return self._small(_mixed(offset, self._seed))

    def _within(self, first: int, last: int) -> list[int]:
        """The traced offsets from first to last, less than a block apart."""
        low, high = first // BLOCK, last // BLOCK
        known = self._block(low)
        if low == high:
            return known[bisect_left(known, first) : bisect_right(known, last)]
        beyond = self._block(high)
        return known[bisect_left(known, first) :] + beyond[: bisect_right(beyond, last)]

    def _block(self, number: int) -> list[int]:
        known = self._blocks.get(number)
        if known is None:
            if len(self._blocks) == _BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            first = number * BLOCK
            hashes = _mixed(np.arange(BLOCK) + first, self._seed)
            known = self._blocks[number] = [first + place for place in self._small(hashes)]
        return known

    def _small(self, hashes: UInt64Array) -> list[int]:
        small: list[int] = np.flatnonzero(hashes < self._below).tolist()
        return small


def _places(offset: Int64Array, wanted: list[int]) -> list[int]:
    """Where these are among the offsets, ascending; some may be missing."""
    found: list[int] = []
    count, first = len(offset), offset.item(0)
    for one in wanted:
        place = one - first  # so it is where they come in order and without gaps
        if 0 <= place < count and offset.item(place) == one:
            found.append(place)
        else:
            found += np.flatnonzero(offset == one).tolist()
    return sorted(found)


def _mixed(numbers: Int64Array, seed: UInt64Array | np.uint64) -> UInt64Array:
    """Numbers [n] spread over 64 bits, neighbours unlike each other; wraps around, as it should.

    A multiply, a fold and a multiply, as in SplitMix64's finalizer (Steele, Lea, Flood, OOPSLA 2014) without its last
    round: only the highest bits count here, and a batch of 256 takes half the time.
    """
    mixed: UInt64Array = (numbers.view(np.uint64) + seed) * _GOLDEN
    mixed ^= mixed >> _HALF
    mixed *= _STIR
    return mixed
