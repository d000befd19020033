"""The evaluator in the process and Prometheus, on the same samples: their burn rates agree within 1%."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml

from streamproc.core import NS_PER_S, Duration, Int64Array
from streamproc.slo import (
    Alerts,
    Counts,
    Evaluator,
    Objective,
    Standing,
    duration_text,
    restore,
    rules_of,
    save,
)
from streamproc.slo.promql import indicator_of
from tests.support.prometheus import promtool

EVERY_S = 15
LOOKS = 4 * 60 * 8  # 8 hours
RESTART = 4 * 60 * 5
"""Before this look the process was started again: its counters begin at 0."""
PROMISES = [
    Objective("on-time", 99.0, good="on_time"),
    Objective("fast", 99.0, latency=Duration.parse("50ms")),
    Objective("fresh", 99.0, freshness=Duration.parse("1s")),
]
WITHIN = 0.01


def day(seed: int) -> tuple[Int64Array, Int64Array]:
    """Cumulative events and bad ones, at each look: traffic that wanders, with bursts of trouble."""
    rng = np.random.default_rng(seed)
    rate = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.05, LOOKS)))
    share = np.full(LOOKS, 0.002)
    for _ in range(12):
        start, length = int(rng.integers(0, LOOKS)), int(rng.integers(4, 120))
        share[start : start + length] += float(rng.uniform(0.02, 0.6))
    events = rng.poisson(rate * EVERY_S)
    bad = rng.binomial(events, np.minimum(share, 1.0))
    zero = np.zeros(1, dtype=np.int64)
    return np.concatenate([zero, np.cumsum(events)]), np.concatenate([zero, np.cumsum(bad)])


def of_each_life(cumulative: Int64Array) -> Int64Array:
    """The same as two processes count it, one after the other."""
    counted = cumulative.copy()
    counted[RESTART:] -= cumulative[RESTART - 1]
    return counted


def standings(
    promise: Objective, total: Int64Array, bad: Int64Array, state: Path
) -> Iterator[Standing]:
    """How things stand at each look, of two lives with the state file between them."""
    evaluator = Evaluator("p", [promise], Alerts(every=Duration.parse("15s")), ())
    for place, counts in enumerate(zip(total.tolist(), bad.tolist(), strict=True)):
        if place == RESTART:
            save(state, "p", evaluator)
            evaluator = Evaluator("p", [promise], Alerts(every=Duration.parse("15s")), ())
            restore(state, "p", evaluator)
        at_ns = (1_000_000 + place * EVERY_S) * NS_PER_S
        evaluator.look_at(at_ns, lambda _, counts=counts: Counts(*counts))
        yield evaluator.standings[0]


def exposed(promise: Objective, total: Int64Array, bad: Int64Array) -> Mapping[str, Int64Array]:
    """The series that Prometheus scrapes."""
    if promise.good:
        name = 'streamproc_outcomes_total{pipeline="p",lane="default",outcome="%s",reason=""}'
        return {name % "on_time": total - bad, name % "late": bad}
    indicator = indicator_of("p", promise)
    return {indicator.total.selector(): total, indicator.part.selector(): total - bad}


@pytest.mark.parametrize(
    ("promise", "seed"),
    [(PROMISES[0], 1), (PROMISES[0], 2), (PROMISES[1], 3), (PROMISES[2], 4)],
    ids=lambda each: each.name if isinstance(each, Objective) else str(each),
)
def test_burn_rates_agree_with_prometheus(tmp_path: Path, promise: Objective, seed: int) -> None:
    total, bad = map(of_each_life, day(seed))
    expected: list[tuple[int, str, float]] = []
    for place, standing in enumerate(standings(promise, total, bad, tmp_path / "p.state")):
        if place and place % 97 == 0:
            for burn in standing.burns:
                for length_ns, rate in (
                    (burn.pair.long_ns, burn.long),
                    (burn.pair.short_ns, burn.short),
                ):
                    expected.append((place * EVERY_S, duration_text(length_ns), rate))
    assert max(rate for _, _, rate in expected) > 14.4  # there is something to agree about
    indicator = indicator_of("p", promise)
    tests = [
        {
            "expr": f"abs({indicator.bad_in(window)} / {indicator.total_in(window)} / 0.01 - {rate!r})"
            f" <= bool {WITHIN * rate!r}",
            "eval_time": f"{at_s}s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for at_s, window, rate in expected
    ]
    inputs = [
        {"series": name, "values": " ".join(map(str, values.tolist()))}
        for name, values in exposed(promise, total, bad).items()
    ]
    (tmp_path / "r.yml").write_text(yaml.safe_dump(rules_of("p", [])), encoding="utf-8")
    page = {
        "rule_files": ["r.yml"],
        "evaluation_interval": f"{EVERY_S}s",
        "tests": [{"interval": f"{EVERY_S}s", "input_series": inputs, "promql_expr_test": tests}],
    }
    (tmp_path / "t.yml").write_text(yaml.safe_dump(page), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", "t.yml", cwd=tmp_path)
