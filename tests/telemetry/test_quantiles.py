"""Prometheus' quantiles of the page are close to the true ones of recorded traffic, of workers added up too."""

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamproc.core import Duration, Int64Array
from streamproc.engine import Deadline
from streamproc.replay.recording import Recording
from streamproc.telemetry import (
    BOUNDS_NS,
    Accounts,
    Gauges,
    PipelineCollector,
    make_registry,
    names,
    render,
)
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import pipeline
from tests.support.prometheus import histogram_quantile

MARKET = Path(__file__).parents[2] / "replay" / "market" / "btcusdt.jsonl.gz"
BUDGET_NS = 33_000_000
EVENTS = 4_000
SPEED = 40


def worker(arrival_ns: Int64Array) -> tuple[Accounts, list[int]]:
    """The books of a pipeline under recorded arrivals, and each event's latency."""
    deadline = Deadline(budget=Duration.parse("33ms"))
    test = PipelineTest(
        pipeline(deadline=deadline),
        executor=FakeExecutor(fixed_ns=900_000, per_event_ns=60_000),
    )
    start_ns = test.now_ns
    for at_ns in (start_ns + arrival_ns).tolist():
        test.send("ticks", {"x": 1.0}, timestamp_ns=at_ns, at_ns=at_ns + 700_000)
    result = test.run()
    times = {decision.id: decision.event_time_ns for decision in result.decisions}
    return result.accounts, [ns - times[of] for of, ns in result.acknowledged_ns.items()]


def test_quantiles_of_merged_workers_are_within_a_tenth() -> None:
    arrival_ns = (Recording(MARKET).timestamp_ns()[:EVENTS] // SPEED).astype(np.int64)
    arrival_ns -= arrival_ns[0]
    accounts, exact = worker(arrival_ns[: EVENTS // 3])
    other, more = worker(arrival_ns[EVENTS // 3 :] - arrival_ns[EVENTS // 3])
    accounts.merge(pickle.loads(pickle.dumps(other)))  # noqa: S301
    latency_ns = np.sort([*exact, *more])
    assert len(latency_ns) > EVENTS / 10

    collector = PipelineCollector(lambda: accounts, gauges=Gauges, models=lambda: (), version="1")
    page, _ = render(make_registry(collector))
    families = {f.name: f for f in text_string_to_metric_families(page.decode())}
    family = families[names.E2E_LATENCY]
    for q in (0.1, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999):
        true_s = float(np.quantile(latency_ns, q, method="inverted_cdf")) / 1e9
        assert histogram_quantile(family, q) == pytest.approx(true_s, rel=0.1)
    within = {s.labels.get("le"): s.value for s in family.samples}
    assert within["0.033"] == np.count_nonzero(latency_ns <= BUDGET_NS)
    assert within["+Inf"] == len(latency_ns)


def test_no_bound_is_more_than_a_tenth_above_the_one_before() -> None:
    assert max(above / below for below, above in pairwise(BOUNDS_NS)) <= 1.1
    assert (BOUNDS_NS[0], BOUNDS_NS[-1]) == (10_000, 60_000_000_000)
