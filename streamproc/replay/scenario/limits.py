"""Bounds on what comes of a scenario."""

from dataclasses import dataclass

from streamproc.core import NS_PER_MS, Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many events may end so.

    Attributes:
        min: at least so many.
        max: at most so many.
        equals: exactly so many.
        min_share: at least this part of all, 0 to 1.
        max_share: at most this part of all, 0 to 1.
    """

    min: int | None = None
    max: int | None = None
    equals: int | None = None
    min_share: float | None = None
    max_share: float | None = None

    def __post_init__(self) -> None:
        for share in (self.min_share, self.max_share):
            if share is not None and not 0.0 <= share <= 1.0:
                msg = f"a share must be from 0 to 1, was {share:g}"
                raise ValueError(msg)

    def allows(self, events: int, of: int) -> bool:
        """Whether so many of all are within it."""
        if self.equals is not None and events != self.equals:
            return False
        low = max(self.min or 0, (self.min_share or 0.0) * of)
        high = min(
            of if self.max is None else self.max,
            of * (1.0 if self.max_share is None else self.max_share),
        )
        return low <= events <= high

    def __str__(self) -> str:
        """For people."""
        said = (
            (self.min, f"at least {self.min}"),
            (self.max, f"at most {self.max}"),
            (self.equals, f"exactly {self.equals}"),
            (self.min_share, f"at least {_percent(self.min_share)}"),
            (self.max_share, f"at most {_percent(self.max_share)}"),
        )
        return ", ".join(words for bound, words in said if bound is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLimit:
    """How long decisions may take.

    Attributes:
        max: at most.
    """

    max: Duration

    def allows(self, took_ns: int) -> bool:
        """Whether so long is within it."""
        return took_ns <= self.max

    def __str__(self) -> str:
        """For people."""
        return f"at most {self.max / NS_PER_MS:g} ms"


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):g}%"
