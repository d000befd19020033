"""How long things take: a curve from the sweep, corrected by what is seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling import LatencyModel

MS = 1_000_000
HOUR_NS = 3_600_000 * MS


def model() -> LatencyModel:
    """A batch of b takes 1 ms + b * 0.1 ms, measured at a few sizes."""
    sizes = [1, 2, 4, 8, 16]
    return LatencyModel(sizes, [cost(b) for b in sizes], size_max=16)


def cost(size: int) -> int:
    return MS + size * MS // 10


def test_between_the_measured_sizes_lies_a_line() -> None:
    assert [model().predict_ns(size) for size in range(1, 17)] == [cost(b) for b in range(1, 17)]


def test_beyond_the_largest_batch_it_says_what_that_takes() -> None:
    assert model().predict_ns(17) == model().predict_ns(1_000) == cost(16)
    assert LatencyModel([1, 2], [5, 7], size_max=4).run_ns.tolist() == [5, 7, 7, 7]
    assert LatencyModel([1, 8], [10, 80], size_max=3).run_ns.tolist() == [10, 20, 30]


@pytest.mark.parametrize(("size", "run_ns"), [([], []), ([1], [0]), ([1, 2], [5, -1])])
def test_without_positive_times_there_is_no_model(size: list[int], run_ns: list[int]) -> None:
    with pytest.raises(ValueError, match="needs positive times"):
        LatencyModel(size, run_ns, size_max=4)


sweeps = st.lists(st.integers(1, 10**10), min_size=1, max_size=6)
observations = st.lists(st.tuples(st.integers(1, 40), st.integers(-5, HOUR_NS)), max_size=90)


@settings(max_examples=100, deadline=None)
@given(sweeps, observations)
def test_whatever_it_sees_a_larger_batch_never_takes_less(
    swept: list[int], seen: list[tuple[int, int]]
) -> None:
    made = LatencyModel([1 << p for p in range(len(swept))], swept, size_max=40)
    for size, took_ns in seen:
        made.observe(size, took_ns)
    run_ns = made.run_ns
    assert run_ns.shape == (40,)
    assert run_ns.dtype == np.int64
    assert run_ns[0] >= 1
    assert np.all(np.diff(run_ns) >= 0)
    assert made.predict_ns(40) == run_ns[-1]


@pytest.mark.parametrize("phase", range(10))
def test_one_outlier_in_ten_moves_nothing(phase: int) -> None:
    made = model()
    for run in range(400):
        made.observe(8, cost(8) * (50 if run % 10 == phase else 1))
        if run >= 7:  # at the very start it does: little else is known
            assert made.predict_ns(8) == cost(8), run


@pytest.mark.parametrize("change", [0.2, 1.5, 7.0])
def test_it_follows_a_lasting_change_within_its_window(change: float) -> None:
    made = model()
    for _ in range(100):
        made.observe(4, cost(4))
    for _ in range(64):
        made.observe(4, round(cost(4) * change))
    for size in (1, 4, 16):  # the whole curve goes with it
        assert made.predict_ns(size) == pytest.approx(cost(size) * change, rel=1e-5)


def test_it_becomes_slower_sooner_than_faster() -> None:
    made = model()
    for _ in range(64):
        made.observe(4, cost(4))
    slow = 0
    while made.predict_ns(4) == cost(4):
        made.observe(4, 3 * cost(4))
        slow += 1
    assert slow == 8


def test_the_first_run_already_counts() -> None:
    made = model()
    made.observe(1, 3 * cost(1))
    assert made.predict_ns(16) == 3 * cost(16)
    made.observe(1, 4 * cost(1))
    assert made.predict_ns(16) == 4 * cost(16)


def test_what_was_handed_out_stays_as_it_was() -> None:
    made = model()
    before = made.run_ns
    kept = before.copy()
    made.observe(1, 9 * cost(1))
    assert made.run_ns is not before
    assert np.array_equal(before, kept)


def test_a_batch_larger_than_the_largest_counts_as_that() -> None:
    made = model()
    made.observe(1_000, 2 * cost(16))
    assert made.predict_ns(16) == 2 * cost(16)


def linear(size: int) -> int:
    """What the executor of an unmeasured model takes: 2 ms + 0.5 ms an event."""
    return 2 * MS + size * MS // 2


def unmeasured(size_max: int = 64) -> LatencyModel:
    return LatencyModel([1], [linear(1)], size_max=size_max)


def test_a_curve_that_was_not_measured_finds_its_shape() -> None:
    made = unmeasured()
    sizes = np.random.default_rng(1).integers(1, 65, 3_000)
    for size in sizes.tolist():
        made.observe(size, linear(size))
    for size in range(1, 65):
        assert made.predict_ns(size) == pytest.approx(linear(size), rel=0.1), size


def test_a_curve_that_was_not_measured_is_right_where_batches_were_run() -> None:
    made = unmeasured()
    for run in range(200):
        made.observe(40 if run % 2 else 6, linear(40 if run % 2 else 6))
    assert made.predict_ns(6) == pytest.approx(linear(6), rel=0.021)
    assert made.predict_ns(40) == pytest.approx(linear(40), rel=0.021)
    assert made.predict_ns(1) == made.predict_ns(6)  # nothing is known below, nor above
    assert made.predict_ns(64) == made.predict_ns(40)


def test_a_curve_that_changes_its_shape_is_learned_too() -> None:
    """A model without batching (each event costs the same) replaces one that batches well."""
    made = model()
    sizes = np.random.default_rng(2).integers(1, 17, 2_000)
    for size in sizes.tolist():
        made.observe(size, size * MS)
    for size in range(1, 17):
        assert made.predict_ns(size) == pytest.approx(size * MS, rel=0.2), size


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_outliers_leave_the_curve_where_its_quantile_is(seed: int) -> None:
    made, rng = unmeasured(), np.random.default_rng(seed)
    for _ in range(4_000):
        size = int(rng.integers(1, 65))
        noise = rng.lognormal(0.0, 0.05) * (30 if rng.random() < 0.02 else 1)
        made.observe(size, round(linear(size) * noise))
    truth = np.array([linear(size) for size in range(1, 65)])
    error = made.run_ns / truth
    assert error.min() > 0.9
    assert error.max() < 1.35


def test_one_outlier_at_a_size_rarely_run_moves_nothing() -> None:
    made = model()
    for _ in range(100):
        made.observe(16, cost(16))
    before = made.run_ns
    made.observe(1, 100 * cost(1))
    assert np.array_equal(made.run_ns, before)
    made.observe(1, 100 * cost(1))
    made.observe(1, 100 * cost(1))  # two could be; three tell the same
    assert made.predict_ns(1) > 50 * cost(1)


@pytest.mark.parametrize("change", [0.25, 4.0])
def test_sizes_that_are_not_run_any_more_follow_those_that_are(change: float) -> None:
    made = unmeasured()
    for size in np.random.default_rng(3).integers(1, 65, 2_000).tolist():
        made.observe(size, linear(size))
    before = made.predict_ns(5)
    for _ in range(300):
        made.observe(48, linear(48))
    for _ in range(64):
        made.observe(48, round(linear(48) * change))
    assert made.predict_ns(48) == pytest.approx(linear(48) * change, rel=0.05)
    assert made.predict_ns(5) == pytest.approx(before * change, rel=0.15)


def test_a_size_first_run_late_tells_nothing_of_the_others() -> None:
    made = unmeasured()
    for _ in range(400):
        made.observe(2, linear(2))
    for _ in range(400):
        made.observe(8, linear(8))
    for _ in range(20):
        made.observe(60, linear(60))
    assert made.predict_ns(2) == pytest.approx(linear(2), rel=0.02)
    assert made.predict_ns(60) == pytest.approx(linear(60), rel=0.02)


def test_after_it_forgot_the_next_run_moves_the_whole_curve() -> None:
    made = unmeasured()
    for size in np.random.default_rng(4).integers(1, 65, 2_000).tolist():
        made.observe(size, linear(size))
    shape = made.run_ns / made.predict_ns(1)
    for _ in range(64):
        made.observe(1, 900 * linear(1))  # the executor stood still
    made.forget()
    made.observe(1, linear(1))
    assert made.predict_ns(1) == pytest.approx(linear(1), rel=0.02)
    assert made.predict_ns(64) <= 1.2 * shape[-1] * linear(1)


def test_times_of_a_year_and_of_nothing_stay_within_bounds() -> None:
    made = LatencyModel([1, 2], [1, 1 << 62], size_max=4)
    for _ in range(200):
        made.observe(1, 1 << 62)
        made.observe(4, -5)
    assert 1 <= made.run_ns[0] <= made.run_ns[-1] <= 32_000_000_000_000_000


@settings(max_examples=100, deadline=None)
@given(sweeps, observations)
def test_saved_and_loaded_it_predicts_the_same(
    swept: list[int], seen: list[tuple[int, int]]
) -> None:
    made = LatencyModel([1 << p for p in range(len(swept))], swept, size_max=40, quantile=0.9)
    for size, took_ns in seen:
        made.observe(size, took_ns)
    loaded = LatencyModel.from_json(made.to_json())
    assert loaded.run_ns == pytest.approx(made.run_ns, rel=1e-9, abs=1)
    again = LatencyModel.from_json(loaded.to_json())
    assert again.run_ns == pytest.approx(made.run_ns, rel=1e-9, abs=1)


def test_a_loaded_model_takes_its_level_from_the_first_run_and_keeps_its_shape() -> None:
    made = unmeasured()
    for size in np.random.default_rng(5).integers(1, 65, 2_000).tolist():
        made.observe(size, linear(size))
    loaded = LatencyModel.from_json(made.to_json())
    loaded.observe(4, 3 * linear(4))  # a slower machine
    assert loaded.run_ns == pytest.approx(3 * made.run_ns, rel=0.1)


GOOD = model().to_json()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", '"format"'),
        ('{"format": "other"}', '"format"'),
        (GOOD.replace('"version": 1', '"version": 2'), "version 2"),
        (GOOD.replace("[1, 2, 4, 8, 16]", "[1, 2, 4, 8]"), "positive times"),
        (GOOD.replace("[1, 2, 4, 8, 16]", "[1, 2, 4, 16, 8]"), "ascending"),
        (GOOD.replace("[1, 2, 4, 8, 16]", "[1, 2, 4, 8, 1.5]"), "size.*whole numbers"),
        (GOOD.replace("[1, 2, 4, 8, 16]", "[]"), "size.*list"),
        (GOOD.replace('"size_max": 16', '"size_max": 0'), "size_max.*whole numbers"),
        (GOOD.replace('"size_max": 16', '"size_max": 99999999'), "size_max.*whole numbers"),
        (GOOD.replace('"quantile": 0.85', '"quantile": NaN'), "quantile"),
        (GOOD.replace('"quantile": 0.85', '"quantile": 3'), "quantile"),
        (GOOD.replace('"corrections": []', '"corrections": [1]'), "corrections"),
        (
            GOOD.replace('"corrections": []', '"corrections": [{"size": 0.5, "factor": 1}]'),
            "corrections: size",
        ),
        (
            GOOD.replace('"corrections": []', '"corrections": [{"size": 2, "factor": -1}]'),
            "corrections: factor",
        ),
        (
            GOOD.replace(
                '"corrections": []',
                '"corrections": [{"size": 2, "factor": 1}, {"size": 3, "factor": 1}]',
            ),
            "power of two",
        ),
        (
            GOOD.replace('"corrections": []', '"corrections": [{"size": 17, "factor": 1}]'),
            "power of two",
        ),
    ],
)
def test_what_is_no_saved_model_is_refused_with_the_reason(text: str, why: str) -> None:
    assert text != GOOD
    with pytest.raises(ValueError, match=why):
        LatencyModel.from_json(text)


def test_what_was_forgotten_leads_nothing() -> None:
    made = model()
    made.observe(4, 2 * cost(4))
    made.forget()
    made.observe(1, 3 * cost(1))
    assert made.predict_ns(1) == 3 * cost(1)


def test_a_late_batch_makes_room_and_many_in_time_take_it_back() -> None:
    made = model()
    made.judge(4, round(1.1 * cost(4)), in_time=False)
    assert made.predict_ns(4) == pytest.approx(1.03 * cost(4), rel=1e-6)
    for _ in range(1_001):
        made.judge(4, cost(4), in_time=True)
    assert made.predict_ns(4) == cost(4)


def test_the_margin_has_an_end_and_what_it_cannot_help_does_not_raise_it() -> None:
    made = model()
    made.judge(4, 3 * cost(4), in_time=False)
    assert made.predict_ns(4) == cost(4), "a stall is no noise"
    for _ in range(100):
        made.judge(4, round(1.2 * cost(4)), in_time=False)
    assert made.predict_ns(4) == pytest.approx(1.3 * cost(4), rel=1e-6)


def test_the_margin_and_the_factors_do_not_learn_each_other() -> None:
    """What is observed is compared with the curve without the margin: it must not be learned away."""
    made = model()
    made.judge(4, round(1.1 * cost(4)), in_time=False)
    for _ in range(60):
        made.observe(4, cost(4))
    assert made.predict_ns(4) == pytest.approx(1.03 * cost(4), rel=1e-6)
