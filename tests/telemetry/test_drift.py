import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.telemetry import DriftMonitor, DriftReference, DriftState, Gauges, total_drift
from streamproc.telemetry.drift_families import drift_families

RNG = np.random.default_rng(7)
TRAINED = RNG.normal(0.0, 1.0, (20_000, 3)).astype(np.float32)


def reference() -> DriftReference:
    return DriftReference.of({"f": TRAINED[:, :2], "g": TRAINED[:, 2]}, ("a", "b", "c"))


def state_of(matrix: np.ndarray, made: DriftReference | None = None) -> DriftState:
    monitor = DriftMonitor(made or reference(), window=len(matrix))
    monitor.observe({"f": matrix[:, :2], "g": matrix[:, 2]})
    found = monitor.state()
    assert found is not None
    return found


def plain_psi(expected: np.ndarray, actual: np.ndarray) -> float:
    """By the book: deciles of what is expected, a loop over the bins."""
    ranked = np.sort(expected)
    edges = [ranked[math.ceil(len(ranked) * k / 10) - 1] for k in range(1, 10)]
    total = 0.0
    for k in range(10):
        low, high = (-math.inf, *edges)[k], (*edges, math.inf)[k]
        share = max(float(np.mean((actual > low) & (actual <= high))), 1e-4)
        wanted = max(float(np.mean((expected > low) & (expected <= high))), 1e-4)
        total += (share - wanted) * math.log(share / wanted)
    return total


def test_it_agrees_with_the_textbook() -> None:
    moved = TRAINED[:5_000] * 1.5 + 0.3
    found = state_of(moved).psi()
    for place in range(3):
        assert found[place] == pytest.approx(
            plain_psi(TRAINED[:, place], moved[:, place]), rel=1e-9
        )


def test_the_same_distribution_has_not_moved_and_another_one_has() -> None:
    same = state_of(RNG.normal(0.0, 1.0, (10_000, 3)).astype(np.float32))
    assert same.psi().max() < 0.01
    one = RNG.normal(0.0, 1.0, (10_000, 3)).astype(np.float32)
    one[:, 1] += 1.0
    found = state_of(one).psi()
    assert found[1] > 0.25
    assert max(found[0], found[2]) < 0.01


def test_missing_and_outside_are_shares_of_the_events() -> None:
    matrix = TRAINED[:1_000].copy()
    matrix[:100, 0] = np.nan
    matrix[:50, 1] = 1e6
    matrix[50:60, 1] = np.inf
    found = state_of(matrix)
    assert found.missing_share().tolist() == [0.1, 0.01, 0.0]
    assert found.outside_share().tolist() == [0.0, 0.05, 0.0]
    assert found.counts.sum(axis=1).tolist() == [900, 990, 1000]


def test_constant_and_wholly_missing_features() -> None:
    columns = {"f": np.stack([np.full(100, 3.0), np.full(100, np.nan)], axis=1)}
    made = DriftReference.of(columns)
    assert made.names == ("f[0]", "f[1]")
    monitor = DriftMonitor(made, window=100)
    monitor.observe(columns)
    found = monitor.state()
    assert found is not None
    assert found.psi().tolist() == [0.0, 0.0]
    assert found.missing_share().tolist() == [0.0, 1.0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(1, 7), st.integers(1, 50))
def test_how_events_are_batched_changes_nothing(sizes: list[int], every: int, window: int) -> None:
    total = sum(sizes)
    matrix = TRAINED[:total]
    whole = DriftMonitor(reference(), window=window, every=every)
    whole.observe({"f": matrix[:, :2], "g": matrix[:, 2]})
    split = DriftMonitor(reference(), window=window, every=every)
    for end, size in zip(np.cumsum(sizes).tolist(), sizes, strict=True):
        part = matrix[end - size : end]
        split.observe({"f": part[:, :2], "g": part[:, 2]})
    for one, other in ((whole.state(), split.state()), (whole.unfinished(), split.unfinished())):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.events == other.events
            np.testing.assert_array_equal(one.counts, other.counts)


def test_workers_together_count_as_one() -> None:
    halves = [state_of(TRAINED[:500]), state_of(TRAINED[500:1_000] + 1)]
    both = total_drift(halves)
    assert both is not None
    together = state_of(np.concatenate([TRAINED[:500], TRAINED[500:1_000] + 1]))
    np.testing.assert_array_equal(both.counts, together.counts)
    assert both.events == 1_000
    assert total_drift([]) is None


def test_a_file_gives_the_reference_again() -> None:
    made = reference()
    again = DriftReference.from_json(made.to_json())
    assert again.names == made.names
    assert again.inputs == (("f", 2), ("g", 1))
    np.testing.assert_array_equal(again.edges, made.edges)
    for text in ("", "{}", "[]", made.to_json().replace('"f"', '"f", 3')[:-1]):
        with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
            DriftReference.from_json(text)


def test_other_features_are_told_and_not_counted() -> None:
    monitor = DriftMonitor(reference(), window=10)
    monitor.observe({"f": TRAINED[:, :2]})
    assert not monitor.fits
    assert monitor.state() is None


def test_the_names_that_alerts_use() -> None:
    families = list(drift_families(state_of(TRAINED[:100])))
    assert [family.name for family in families] == [
        "streamproc_feature_drift_psi",
        "streamproc_feature_drift_missing_share",
        "streamproc_feature_drift_outside_share",
        "streamproc_feature_drift_window_events",
    ]
    assert [sample.labels for sample in families[0].samples] == [{"feature": n} for n in "abc"]
    assert Gauges().drift is None
