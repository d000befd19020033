"""The books of models that are tried: added over workers, shown to Prometheus and to people."""

import numpy as np
import pytest

from streamproc.core import Outcome
from streamproc.telemetry import Accounts, RolloutBooks
from streamproc.telemetry.latency_family import LatencyFamily
from streamproc.telemetry.rollout import rollout_families
from streamproc.telemetry.summary import latency_ms


def books(share: float = 0.5) -> RolloutBooks:
    made = RolloutBooks(shares={"base": 1.0 - share, "canary": share})
    made.outcomes["canary", Outcome.ON_TIME] += 3
    made.failed["canary"] += 2
    one = made.of("canary")
    one.compared, one.differed, one.difference_sum, one.dropped = 10, 4, 2.5, 1
    return made


def test_those_of_workers_add_up() -> None:
    first, second = Accounts(pipeline="p"), Accounts(pipeline="p")
    first.rollout, second.rollout = books(), books(share=0.0)
    second.rollout.rollbacks["canary", "misses"] += 1
    second.rollout.said["canary"] = "it was late"
    first.rollout.took("canary", np.array([2_000_000]))
    second.rollout.took("canary", np.array([4_000_000]))
    first.merge(second)
    latency = latency_ms(first.rollout.latency["canary"])
    assert latency["p50"] == pytest.approx(2, rel=0.02)
    assert latency["max"] == 4.0
    assert first.rollout.view() == {
        "arms": {
            "base": {"share": 0.5},
            "canary": {"share": 0.0, "outcomes": {"on_time": 6}, "failed": 4, "latency_ms": latency},
        },
        "comparisons": {
            "canary": {
                "compared": 20, "differed": 8, "difference_mean": 0.25, "dropped": 2, "failed": 0
            }
        },
        "rolled_back": {"canary": "it was late"},
    }  # fmt: skip


def test_nothing_is_shown_where_nothing_was_rolled_out() -> None:
    assert RolloutBooks().view() is None
    assert not list(rollout_families(RolloutBooks()))


def test_each_is_shown_by_its_name() -> None:
    made = books()
    made.took("canary", np.array([2_000_000, 4_000_000]))
    families = {f.name: f for f in rollout_families(made)}
    latency = families.pop("streamproc_arm_latency_seconds")
    assert isinstance(latency, LatencyFamily)
    (series,) = latency.series
    assert (series.labels, series.count) == (("canary",), 2)
    found = {
        name: {tuple(s.labels.values()): s.value for s in f.samples} for name, f in families.items()
    }
    assert found["streamproc_arm_share"] == {("base",): 0.5, ("canary",): 0.5}
    assert found["streamproc_arm_outcomes"] == {("canary", "on_time"): 3}
    assert found["streamproc_arm_failed"] == {("base",): 0, ("canary",): 2}
    assert found["streamproc_candidate_differed"] == {("canary",): 4}
    assert found["streamproc_candidate_not_compared"][("canary", "dropped")] == 1
