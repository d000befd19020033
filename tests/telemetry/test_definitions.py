"""Every metric is defined once, shown as it is defined, and in the docs."""

from pathlib import Path

import numpy as np
import pytest
from prometheus_client.core import InfoMetricFamily

from streamproc.core import ModelInfo, Outcome, TopicPartition
from streamproc.telemetry import (
    DEFINITIONS,
    Accounts,
    CarriedStates,
    FeatureStates,
    Gauges,
    ModelProcesses,
    ModelStates,
    PipelineCollector,
    ReorderStates,
    WorkerStates,
    names,
)
from streamproc.telemetry.metrics_page import with_table

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
SOURCE = TopicPartition("ticks", 0)
ALL_GAUGES = Gauges(
    queue_depth=1,
    demand_workers=1.0,
    variant_level=0,
    lag_records={SOURCE: 1},
    lag_seconds=1.0,
    watermarks_seconds={SOURCE: 1.0},
    executor_slots=1,
    loop_lag_seconds=0.0,
    event_time_skew_seconds={"ticks/0": 0.0},
    features=FeatureStates(1, 8, 0, 0, 0.0, (1, 1)),
    carried=CarriedStates(1, 8),
    reordered=ReorderStates(1, 0),
    workers=WorkerStates({"ready": 1}, 0, 0.0),
    model=ModelStates({"full": ModelProcesses(1, 0, {"closed": 1}, 0)}, {}),
)


def shown() -> dict[str, tuple[str, str, frozenset[str]]]:
    """Kind, words and labels of each family, of a pipeline that has all of them."""
    accounts = Accounts(pipeline="p")
    accounts.stage_constant("infer", 1, 1)
    accounts.tail.threshold_ns = 1
    accounts.suppressed(Outcome.SHED, 1)
    accounts.judged(0, "sure", 1)
    accounts.rollout.shares["canary"] = 0.5
    accounts.rollout.outcomes["canary", Outcome.LATE] += 1
    accounts.rollout.rollbacks["canary", "misses"] += 1
    accounts.rollout.of("canary")
    accounts.rollout.took("canary", np.array([1]))
    collector = PipelineCollector(
        lambda: accounts,
        gauges=lambda: ALL_GAUGES,
        models=lambda: [ModelInfo("full", "sha256:ab", "CPU")],
        version="1",
    )
    found = {}
    for family in collector.collect():
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = frozenset(name for sample in family.samples for name in sample.labels) - {"le"}
        found[family.name + ending] = (family.type, family.documentation, labels)
    return found


def test_what_is_shown_is_what_is_defined() -> None:
    elsewhere = ("with `slo`", "with `telemetry.drift`", "with `serve`")  # have tests of their own
    own = [d for d in DEFINITIONS if not d.when.startswith(elsewhere)]
    defined = {d.name: (d.kind, d.text, frozenset(d.labels)) for d in own}
    assert shown() == defined
    assert InfoMetricFamily("a", "b").type == "info"


def test_every_name_has_a_definition() -> None:
    said = {value for name, value in vars(names).items() if name.isupper() and "LANE_" not in name}
    assert said == {d.name for d in DEFINITIONS}


@pytest.mark.parametrize("metric", DEFINITIONS, ids=lambda d: d.name)
def test_names_follow_the_conventions(metric: object) -> None:
    assert metric.name.endswith("_total") == (metric.kind == "counter")  # type: ignore[attr-defined]
    assert metric.text.endswith(".")  # type: ignore[attr-defined]


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_table(text), "run python -m streamproc.telemetry.metrics_page"
