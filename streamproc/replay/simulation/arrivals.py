"""When events arrive: processes whose mean rate is given and whose shape is known, each from a numpy Generator.

All but ``recorded`` are Poisson processes whose rate is constant for some time, then another (a ``RateProfile``): unit-rate
exponential gaps, carried over by the inverse of the rate's integral (Çinlar 1975), which is exact for such rates.
The profile's own mean is made the mean that was asked for, so that a load means the same for every shape and seed.
"""

from dataclasses import dataclass

import numpy as np

from streamproc.core import NS_PER_S, Float64Array, Int64Array

DIURNAL_STEPS = 96
"""Steps of a day: a quarter of an hour of a real one."""
FLASH_STEPS = 32


@dataclass(frozen=True, slots=True)
class RateProfile:
    """How much comes when.

    Attributes:
        edge_ns: int64 [k + 1], ascending from 0: where each stretch begins, and the end of the last.
        weight: float64 [k], each stretch's rate, in any unit.
        bursts: how many bursts there are in it.
    """

    edge_ns: Int64Array
    weight: Float64Array
    bursts: int = 0

    def __post_init__(self) -> None:
        if len(self.edge_ns) != len(self.weight) + 1 or (np.diff(self.edge_ns) <= 0).any():
            raise ValueError("edges must ascend, one more of them than weights")
        if (self.weight < 0).any() or not (self.weight > 0).any():
            raise ValueError("weights must not be negative, nor all 0")

    def arrivals(self, rng: np.random.Generator, *, rate_per_s: float) -> Int64Array:
        """Draw arrivals.

        Args:
            rng: the source of chance.
            rate_per_s: their mean rate over the whole profile.

        Returns:
            int64 [n], ascending, ns from the profile's begin.
        """
        length_ns = np.diff(self.edge_ns)
        expected = rate_per_s * int(self.edge_ns[-1]) / NS_PER_S
        amount = self.weight * length_ns
        cumulative = np.concatenate(([0.0], np.cumsum(amount) * (expected / amount.sum())))
        # The count of a Poisson process is Poisson; given it, the arrivals are independent and uniform.
        places = np.sort(rng.random(rng.poisson(expected))) * cumulative[-1]
        arrival_ns: Int64Array = np.interp(places, cumulative, self.edge_ns).astype(np.int64)
        return arrival_ns


def poisson(*, duration_ns: int) -> RateProfile:
    """The same rate all the time."""
    return _profile([duration_ns], [1.0])


def bursty(
    rng: np.random.Generator,
    *,
    duration_ns: int = 0,
    bursts_min: int = 1,
    burst_ns: int = 40_000_000,
    gap_ns: int = 120_000_000,
    ratio: float = 10.0,
) -> RateProfile:
    """Bursts and gaps of exponential lengths: a Markov-modulated Poisson process of two states.

    With the lengths' means as they are, a burst has 3.1 times the mean rate and a gap 0.31 times.

    Args:
        rng: the source of chance.
        duration_ns: how long it lasts at least; it ends with a burst.
        bursts_min: how many bursts it has at least.
        burst_ns: mean length of a burst.
        gap_ns: mean length of a gap.
        ratio: the rate in a burst over that in a gap.
    """
    lengths: list[int] = []
    while sum(lengths) < duration_ns or len(lengths) < 2 * bursts_min:
        lengths += [1 + int(rng.exponential(gap_ns)), 1 + int(rng.exponential(burst_ns))]
    bursts = len(lengths) // 2
    return _profile(lengths, [1.0, ratio] * bursts, bursts=bursts)


def diurnal(*, duration_ns: int, days: int = 1, lowest: float = 0.2) -> RateProfile:
    """A day's wave: from night to noon and back.

    Args:
        duration_ns: of all days together.
        days: how many there are.
        lowest: the rate at night over that at noon.
    """
    phase = 2 * np.pi * (np.arange(days * DIURNAL_STEPS) + 0.5) / DIURNAL_STEPS
    weight = lowest + (1 - lowest) * (1 - np.cos(phase)) / 2
    return _profile(_even(duration_ns, len(weight)), weight)


def flash_crowd(
    *,
    duration_ns: int,
    peak: float = 10.0,
    at: float = 0.25,
    rise: float = 0.02,
    fall: float = 0.15,
) -> RateProfile:
    """One sudden rush: a steep rise to the peak, then an exponential decay (Ari et al., MASCOTS 2003).

    Args:
        duration_ns: of the whole.
        peak: the highest rate over the usual one.
        at: where the rise begins, as a share of the duration.
        rise: how long it takes, likewise.
        fall: after how long the rush has fallen to 1/e, likewise.
    """
    place = (np.arange(FLASH_STEPS * 8) + 0.5) / (FLASH_STEPS * 8)
    rising = np.clip((place - at) / rise, 0, 1)
    falling = np.exp(-np.maximum(place - at - rise, 0) / fall)
    weight = 1 + (peak - 1) * rising * falling
    return _profile(_even(duration_ns, len(weight)), weight, bursts=1)


def step(*, duration_ns: int, times: float = 3.0, at: float = 0.5) -> RateProfile:
    """A rate, then suddenly a multiple of it.

    Args:
        duration_ns: of the whole.
        times: the second rate over the first.
        at: where it changes, as a share of the duration.
    """
    before = round(duration_ns * at)
    return _profile([before, duration_ns - before], [1.0, times])


def recorded(
    rng: np.random.Generator,
    timestamp_ns: Int64Array,
    *,
    rate_per_s: float,
    count: int | None = None,
) -> Int64Array:
    """Recorded arrivals, all gaps shortened or lengthened alike to a mean rate.

    Args:
        rng: where in the recording to begin; after its end it goes on at its begin.
        timestamp_ns: int64 [m], when the recording's events were seen, ascending, over more than an instant.
        rate_per_s: the mean rate of what is taken.
        count: how many events to take; None takes them all, from the first.

    Returns:
        int64 [n], ascending from 0.
    """
    gaps = np.diff(timestamp_ns)
    if count is not None:
        first = int(rng.integers(len(gaps)))
        gaps = np.resize(np.roll(gaps, -first), count - 1)
    since_first = np.concatenate(([0], np.cumsum(gaps)))
    if not since_first[-1]:
        raise ValueError("what is taken of the recording is one instant: it has no rate")
    scale = len(gaps) / int(since_first[-1]) * NS_PER_S / rate_per_s
    return (since_first * scale).astype(np.int64)


def busy_stretches(arrival_ns: Int64Array, *, window_ns: int, times: float = 4.0) -> int:
    """How many bursts there are: maximal rows of windows that hold so many times the mean.

    Args:
        arrival_ns: int64 [n], ascending.
        window_ns: the windows' length.
        times: from how many times the mean number of events on a window is part of a burst.
    """
    if not len(arrival_ns):
        return 0
    counts = np.bincount((arrival_ns - arrival_ns[0]) // window_ns)
    busy = counts >= max(times * counts.mean(), 2)
    return int(busy[0]) + int((busy[1:] & ~busy[:-1]).sum())


def _even(duration_ns: int, parts: int) -> Int64Array:
    return np.diff(np.arange(parts + 1) * duration_ns // parts)


def _profile(
    length_ns: list[int] | Int64Array, weight: list[float] | Float64Array, *, bursts: int = 0
) -> RateProfile:
    edges = np.concatenate(([0], np.cumsum(length_ns)))
    return RateProfile(edges.astype(np.int64), np.asarray(weight, np.float64), bursts)
