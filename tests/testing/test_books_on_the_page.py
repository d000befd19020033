"""Whatever went wrong, the outcomes on ``/metrics`` add up to what was consumed, and late ones have their traces."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamproc.telemetry import (
    Accounts,
    Gauges,
    PipelineCollector,
    Telemetry,
    Traces,
    make_registry,
    names,
    render,
)
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import MS, POISON, pipeline, within

EVENTS = 400


def page(accounts: Accounts) -> Counter[str]:
    """The sums of the page's samples by name."""
    collector = PipelineCollector(lambda: accounts, gauges=Gauges, models=lambda: (), version="1")
    body, _ = render(make_registry(collector))
    sums: Counter[str] = Counter()
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            sums[sample.name] += int(sample.value)
    return sums


def fail_at_poison(inputs: Any) -> Any:
    array = next(iter(inputs.values()))
    if (array == POISON).any():
        msg = "poison"
        raise ValueError(msg)
    return {"y": array}


@pytest.mark.parametrize("seed", range(4))
def test_the_page_adds_up_after_faults(seed: int) -> None:
    """Poison for the model, rubbish for the codec, too much at once, and partitions that leave in the middle."""
    rng = np.random.default_rng(seed)
    executor = FakeExecutor(fail_at_poison, fixed_ns=4 * MS, per_event_ns=MS)
    test = PipelineTest(pipeline(deadline=within("60ms")), executor=executor, partitions=2)
    start_ns = test.now_ns
    for at_ns in np.sort(rng.integers(0, 300 * MS, EVENTS)).tolist():
        value: Any = {"x": 1.0}
        if rng.random() < 0.02:
            value = {"x": POISON}
        elif rng.random() < 0.03:
            value = b"rubbish"
        test.send("ticks", value, partition=int(rng.integers(2)), at_ns=start_ns + at_ns)
    leaving_ns = start_ns + int(rng.integers(50, 250)) * MS
    test.revoke(("ticks", 1), at_ns=leaving_ns)
    test.assign(("ticks", 1), at_ns=leaving_ns + 20 * MS)
    result = test.run()
    found = page(result.accounts)
    assert found[names.OUTCOMES] == result.accounts.consumed
    assert found[names.OUTCOMES] >= EVENTS
    assert (
        found[names.FETCHED]
        == found[names.OUTCOMES] + found[names.HANDED_BACK] + found[names.IN_FLIGHT]
    )
    assert found[names.IN_FLIGHT] == 0
    assert {"shed", "dead_letter"} <= {o for o, n in result.summary["outcomes"].items() if n}


def test_the_page_adds_up_after_transactions_that_were_aborted() -> None:
    test = PipelineTest(pipeline(delivery="exactly_once", deadline=within("400ms")))
    test.sink.fail_commits(times=2)  # type: ignore[attr-defined]
    for number in range(100):
        test.send("ticks", {"x": number}, at_ns=test.now_ns + number * MS)
    result = test.run()
    found = page(result.accounts)
    assert found[names.OUTCOMES] == result.accounts.consumed == 100
    assert found[names.HANDED_BACK] > 0
    assert found[names.FETCHED] == found[names.OUTCOMES] + found[names.HANDED_BACK]


def test_every_late_event_has_its_trace() -> None:
    """Decided in time and acknowledged too late, or decided too late: both are told, each event once."""
    traces = Traces(otlp="http://there", ratio=0.0, always=("late", "shed"))
    config = pipeline(deadline=within("50ms"), telemetry=Telemetry(traces=traces))
    test = PipelineTest(config, acknowledge_ns=lambda _: 60 * MS)
    for number in range(80):
        test.send("ticks", {"x": number}, at_ns=test.now_ns + number * MS)
    result = test.run()
    told = Counter(journey.outcome.word for journey in test.journeys)
    assert result.summary["outcomes"]["late"] > 0
    assert told == {
        word: n for word, n in result.summary["outcomes"].items() if n and word in ("late", "shed")
    }
    assert result.accounts.traces_suppressed == {}
