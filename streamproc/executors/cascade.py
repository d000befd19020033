"""What a user can set of a cascade: a cheap variant first, a better one where that is unsure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cascade:
    """That a cheap variant answers first, and a better one what the cheap one is unsure of, where there is time.

    Attributes:
        unsure: which answers are unsure, an expression over ``margin`` (the highest score less the second highest), ``top``
            (the highest score), and the model's outputs that are one number an event, such as ``margin < 0.2``.
        of: names of variants, the cheapest first; the last must be the best one. Empty takes all variants.
    """

    unsure: str
    of: Sequence[str] = ()
