"""The arrival processes: their mean, their shape, and the same again from the same seed."""

from collections.abc import Callable

import numpy as np
import pytest

from streamproc.replay.simulation import (
    RateProfile,
    bursty,
    busy_stretches,
    diurnal,
    flash_crowd,
    poisson,
    recorded,
    step,
)

S = 1_000_000_000
RATE = 5_000.0
MAKERS: dict[str, Callable[[np.random.Generator], RateProfile]] = {
    "poisson": lambda _: poisson(duration_ns=20 * S),
    "bursty": lambda rng: bursty(rng, duration_ns=20 * S),
    "diurnal": lambda _: diurnal(duration_ns=20 * S),
    "flash_crowd": lambda _: flash_crowd(duration_ns=20 * S),
    "step": lambda _: step(duration_ns=20 * S),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_mean_rate_is_what_was_asked_for(name: str) -> None:
    rng = np.random.default_rng(1)
    profile = MAKERS[name](rng)
    arrival_ns = profile.arrivals(rng, rate_per_s=RATE)
    expected = RATE * profile.edge_ns[-1] / S
    # Counts are Poisson: five standard deviations are missed once in a million times.
    assert abs(len(arrival_ns) - expected) < 5 * expected**0.5
    assert (np.diff(arrival_ns) >= 0).all()
    assert 0 <= arrival_ns[0] <= arrival_ns[-1] <= profile.edge_ns[-1]


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_gives_the_same_again(name: str) -> None:
    def draw(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        return MAKERS[name](rng).arrivals(rng, rate_per_s=50.0).tolist()

    assert draw(3) == draw(3) != draw(4)


def test_gaps_of_poisson_arrivals_are_exponential() -> None:
    arrival_ns = poisson(duration_ns=20 * S).arrivals(np.random.default_rng(2), rate_per_s=RATE)
    gaps = np.diff(arrival_ns) / (S / RATE)
    assert gaps.mean() == pytest.approx(1.0, abs=0.02)
    assert gaps.std() == pytest.approx(1.0, abs=0.03)
    assert (gaps > 1.0).mean() == pytest.approx(np.exp(-1.0), abs=0.01)


def test_rates_within_the_stretches() -> None:
    def per_second(profile: RateProfile) -> list[float]:
        arrival_ns = profile.arrivals(np.random.default_rng(5), rate_per_s=RATE)
        return np.bincount(arrival_ns // S, minlength=20).tolist()

    before, after = np.split(np.array(per_second(step(duration_ns=20 * S, times=3.0))), 2)
    assert after.sum() / before.sum() == pytest.approx(3.0, rel=0.03)
    day = per_second(diurnal(duration_ns=20 * S, lowest=0.2))
    assert min(day[0], day[19]) < 0.3 * max(day) < max(day[9], day[10])
    rush = per_second(flash_crowd(duration_ns=20 * S, at=0.25))
    assert rush.index(max(rush)) == 5
    assert rush[4] < 0.2 * rush[5]


def test_bursts_are_as_many_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    profile = bursty(rng, bursts_min=20)
    assert profile.bursts == 20
    arrival_ns = profile.arrivals(rng, rate_per_s=RATE)
    inside = profile.edge_ns.searchsorted(arrival_ns, side="right") % 2 == 0
    share = np.diff(profile.edge_ns)[1::2].sum() / profile.edge_ns[-1]
    assert inside.mean() == pytest.approx(10 * share / (10 * share + 1 - share), abs=0.02)


def test_a_recording_keeps_its_shape() -> None:
    stamps = 10**18 + np.array([0, 10, 20, 1_000, 1_010])
    rng = np.random.default_rng(0)
    whole = recorded(rng, stamps, rate_per_s=4e9 / 2_020)
    assert whole.tolist() == [0, 20, 40, 2_000, 2_020]
    part = recorded(rng, stamps, rate_per_s=1e6, count=9)
    gaps = np.diff(part)
    assert len(part) == 9
    assert part[-1] == pytest.approx(8 * 1_000, abs=8)
    assert np.partition(gaps, -2)[-2] > 50 * gaps.min() > 0


def test_a_recording_of_one_instant_has_no_rate() -> None:
    with pytest.raises(ValueError, match="one instant"):
        recorded(np.random.default_rng(0), np.array([5, 5, 5]), rate_per_s=1.0)


def test_busy_stretches() -> None:
    quiet = np.arange(0, 1_000, 10)
    burst = np.full(50, 505)
    arrival_ns = np.sort(np.concatenate((quiet, burst, burst + 1, burst + 300)))
    assert busy_stretches(arrival_ns, window_ns=10, times=4.0) == 2
    assert busy_stretches(quiet, window_ns=10, times=4.0) == 0
    assert busy_stretches(quiet[:0], window_ns=10) == 0


@pytest.mark.parametrize(
    ("edges", "weights"), [([0, 1], []), ([0, 0], [1.0]), ([0, 1], [0.0]), ([0, 1, 2], [1.0, -1.0])]
)
def test_profiles_that_cannot_be(edges: list[int], weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"edges must|weights must"):
        RateProfile(np.array(edges), np.array(weights))
