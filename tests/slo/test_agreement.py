"""The evaluator in the process and Prometheus, on the same samples: their burn rates agree within 1%."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from streamproc.core import NS_PER_S, Int64Array
from streamproc.slo import Counts, Objective, ObjectiveWatch, duration_text, rules_of
from streamproc.slo.promql import indicator_of
from tests.support.prometheus import promtool

EVERY_S = 15
LOOKS = 4 * 60 * 8  # 8 hours
PROMISE = Objective("on-time", 99.0, good="on_time")
WITHIN = 0.01


def day(seed: int) -> tuple[Int64Array, Int64Array]:
    """Cumulative events and bad ones, at each look: traffic that wanders, with bursts of trouble, and a restart."""
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


@pytest.mark.parametrize("seed", [1, 2])
def test_burn_rates_agree_with_prometheus(tmp_path: Path, seed: int) -> None:
    total, bad = day(seed)
    watch = ObjectiveWatch(replace(PROMISE), EVERY_S * NS_PER_S)
    expected: list[tuple[int, str, float]] = []
    for place, (events, wrong) in enumerate(zip(total.tolist(), bad.tolist(), strict=True)):
        standing = watch.look(
            1_000_000 * NS_PER_S + place * EVERY_S * NS_PER_S, Counts(events, wrong)
        )
        if place and place % 97 == 0:
            for burn in standing.burns:
                for length_ns, rate in (
                    (burn.pair.long_ns, burn.long),
                    (burn.pair.short_ns, burn.short),
                ):
                    expected.append((place * EVERY_S, duration_text(length_ns), rate))
    assert max(rate for _, _, rate in expected) > 14.4  # there is something to agree about
    indicator = indicator_of("p", PROMISE)
    tests = [
        {
            "expr": f"abs({indicator.bad_in(window)} / {indicator.total_in(window)} / 0.01 - {rate!r})"
            f" <= bool {WITHIN * rate!r}",
            "eval_time": f"{at_s}s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for at_s, window, rate in expected
    ]
    series = {"on_time": total - bad, "late": bad}
    inputs = [
        {
            "series": f'streamproc_outcomes_total{{pipeline="p",lane="default",outcome="{outcome}",reason=""}}',
            "values": " ".join(map(str, values.tolist())),
        }
        for outcome, values in series.items()
    ]
    (tmp_path / "r.yml").write_text(yaml.safe_dump(rules_of("p", [])), encoding="utf-8")
    page = {
        "rule_files": ["r.yml"],
        "evaluation_interval": f"{EVERY_S}s",
        "tests": [{"interval": f"{EVERY_S}s", "input_series": inputs, "promql_expr_test": tests}],
    }
    (tmp_path / "t.yml").write_text(yaml.safe_dump(page), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", "t.yml", cwd=tmp_path)
