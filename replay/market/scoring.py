"""Scores of the market task with intervals that respect its time order.

Neighbouring events share most of their next second, so their errors come together: drawing
events one by one would give intervals that are far too narrow. Whole blocks of time are drawn
instead (Kuensch 1989, without overlap).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

DOWN: Final = 0
FLAT: Final = 1
UP: Final = 2
CLASS_NAMES: Final = ("down", "flat", "up")

# Ten times the horizon of the label, and still 30 blocks in the five minutes of the test.
BLOCK_NS: Final = 10_000_000_000
DRAWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of time and how often each bootstrap draw takes them.

    Attributes:
        block: int64 [n], the block of each event, 0-based.
        counts: int64 [DRAWS, blocks], how often a draw takes a block.
    """

    block: IntArray
    counts: IntArray


def draw_blocks(receive_ns: IntArray, generator: np.random.Generator) -> Blocks:
    """Cut the events into blocks of BLOCK_NS and draw as many blocks with replacement, DRAWS times.

    Args:
        receive_ns: int64 [n], ascending.
        generator: where the draws come from.
    """
    block = (receive_ns - receive_ns[0]) // BLOCK_NS
    total = int(block[-1]) + 1
    counts = generator.multinomial(total, np.full(total, 1.0 / total), size=DRAWS)
    return Blocks(block=block, counts=counts)


def confusion(truth: IntArray, predicted: IntArray, blocks: Blocks) -> IntArray:
    """Return int64 [blocks, 3, 3]: events by block, true class and predicted class."""
    total = blocks.counts.shape[1]
    cell = (blocks.block * 3 + truth) * 3 + predicted
    return np.bincount(cell, minlength=total * 9).reshape(total, 3, 3)


def balanced_accuracy(table: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean recall of the classes; `table` is [..., true class, predicted class]."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return np.asarray((hits / table.sum(axis=-1)).mean(axis=-1))


def direction_accuracy(table: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the share of moves called right; the predictions must be all DOWN or UP."""
    moved = table[..., [DOWN, UP], :]
    hits = moved[..., 0, DOWN] + moved[..., 1, UP]
    return np.asarray(hits / moved.sum(axis=(-2, -1)))


def drawn(table: IntArray, blocks: Blocks) -> IntArray:
    """Return int64 [DRAWS, 3, 3], the confusion table of each bootstrap draw."""
    return np.asarray(np.tensordot(blocks.counts, table, axes=1))


def interval(values: npt.NDArray[np.float64]) -> list[float]:
    """Return the 2.5% and 97.5% points of the bootstrap draws, to 4 decimals."""
    return [round(float(point), 4) for point in np.quantile(values, (0.025, 0.975))]
