"""How a variant's decisions are judged, and how sure that is."""

import numpy as np
import pytest

from streamproc.modeling.judging import Bootstrap, decisions, judge


def test_shares_and_their_intervals() -> None:
    truth = np.arange(1_000) % 4
    full, given = truth.copy(), truth.copy()
    full[:100] += 1  # wrong on 100
    given[50:150] += 1  # wrong on 100 others, 50 of which are the same
    found = judge(given, full, truth, Bootstrap.of(np.arange(1_000)))
    assert (found.flips, found.accuracy, found.loss) == (0.1, 0.9, pytest.approx(0.0))
    assert found.flips_95[0] < 0.1 < found.flips_95[1]
    assert found.loss_95 is not None
    assert found.loss_95[0] < 0 < found.loss_95[1]
    assert found.flips_95[1] - found.flips_95[0] < 0.05


def test_what_belongs_together_makes_intervals_wider() -> None:
    wrong = np.repeat(np.arange(20) % 2, 50)
    alone = Bootstrap.of(np.arange(1_000)).interval(wrong)
    together = Bootstrap.of(np.arange(1_000) // 50).interval(wrong)
    assert together[1] - together[0] > 4 * (alone[1] - alone[0])


def test_what_both_get_wrong_does_not_widen_the_loss() -> None:
    truth = np.zeros(400, int)
    wrong = np.repeat(np.arange(20) % 2, 20)
    found = judge(wrong, wrong, truth, Bootstrap.of(np.arange(400) // 20))
    assert found.loss_95 == (0.0, 0.0)
    assert found.flips_95 == (0.0, 0.0)


def test_without_the_truth_only_flips_are_known() -> None:
    found = judge(np.array([1, 2]), np.array([1, 1]), None, Bootstrap.of(np.arange(2)))
    assert (found.flips, found.accuracy, found.loss) == (0.5, None, None)


def test_what_is_decided() -> None:
    assert decisions(np.array([[0.1, 0.9], [0.8, 0.2]])).tolist() == [1, 0]
    assert decisions(np.array([[0.5], [-0.5]])).tolist() == [True, False]
