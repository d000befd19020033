"""``slo`` and ``alerts`` in the file: what is read, what is refused, and OpenSLO files in place of an item."""

from pathlib import Path

import pytest

from streamproc.core import Duration
from streamproc.slo import Objective, Session
from tests.config.conftest import Problems, Read

OPENSLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: fast
spec:
  description: decisions are quick
  service: direction
  indicator:
    metadata: {name: latency}
    spec:
      thresholdMetric:
        metricSource: {type: streamproc, spec: {metric: latency}}
  timeWindow:
    - duration: 4w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - {op: lte, value: 0.05, target: 0.999}
"""
RATIO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: kept}
spec:
  service: direction
  indicator:
    metadata: {name: kept}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: streamproc, spec: {outcomes: [shed, dead_letter]}}}
        total: {metricSource: {type: streamproc, spec: {outcomes: all}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{targetPercent: 99.5}]
"""


def test_the_contracts_example_is_read(read: Read, minimal: str) -> None:
    text = """\
slo:
  - {name: on-time, objective: 99.0, good: on_time, period: 30d}
  - {name: fast, objective: 99.0, latency: 50ms, period: 30d}
  - {name: kept, objective: 99, bad: [shed, dead_letter], period: {open: "09:30", close: "16:00", timezone: America/New_York}}
alerts: {webhook: "http://localhost:9/hook", topic: alerts}
"""
    config = read(minimal + text).config
    on_time, fast, kept = config.slo
    assert on_time == Objective("on-time", 99.0, good="on_time")
    assert fast.latency == Duration.parse("50ms")
    assert kept.bad == ("shed", "dead_letter")
    assert kept.period == Session("09:30", "16:00", "America/New_York")
    assert config.alerts.topic == "alerts"


@pytest.mark.parametrize(
    ("item", "key", "words"),
    [
        ("{name: a, objective: 99}", "slo[0]", "exactly one of good, bad"),
        ("{name: a, objective: 99, good: on_time, bad: shed}", "slo[0]", "had good and bad"),
        ("{name: a, objective: 100, good: on_time}", "slo[0].objective", "below 100"),
        ("{name: a, objective: 99, good: ontime}", "slo[0].good", "did you mean on_time?"),
        ("{name: a, objective: 99, good: on_time, period: 1h}", "slo[0].period", "from 1d to 92d"),
        ("{name: a, objective: 99, good: on_time, lane: x}", "slo[0].lane", "is no lane"),
        ("{name: a, objective: 99, latency: 5ms, lane: x}", "slo[0].lane", "is for good and bad"),
        ("{name: a, objective: 99, good: on_time, period: {open: 9, close: '10:00'}}", "slo[0].period.open", "must be a text"),
        ("{name: a, objective: 99, good: on_time, period: {open: '09:30', close: '10:00'}}", "slo[0].period.close", "an hour"),
        ("{name: a, objective: 99, good: [on_time, degraded], on_burn: {variant: int8}}", "slo[0].on_burn.variant", "is no variant"),
        ("{name: a, objective: 99, bad: shed, on_burn: {max_queue: 9}}", "slo[0].on_burn.max_queue", "shed events are bad"),
        ("{name: a, objective: 99, good: on_time, on_burn: {}}", "slo[0].on_burn", "says nothing"),
        ("{name: a, objective: 99, labels: {topic: ticks}}", "slo[0].labels.topic", "is a source topic"),
        ("none.yaml", "slo[0]", "cannot be read"),
    ],
)  # fmt: skip
def test_a_wrong_objective_is_refused_at_its_key(
    problems: Problems, minimal: str, item: str, key: str, words: str
) -> None:
    found = problems(minimal + f"slo:\n  - {item}\noutput: {{labels: [a, b]}}\n")
    assert [(p.key, p.line) for p in found] == [(key, 14)]
    assert words in found[0].message


def test_labels_need_decisions_that_can_be_read(problems: Problems, minimal: str) -> None:
    item = "slo: [{name: a, objective: 99, labels: {topic: truth, decided: x}}]\n"
    (found,) = problems(minimal + item + "decisions: {arrow: {}}\n")
    assert found.key == "slo[0].labels"


def test_two_objectives_have_two_names(problems: Problems, minimal: str) -> None:
    item = "  - {name: a, objective: 99, good: on_time}\n"
    (found,) = problems(minimal + "slo:\n" + item + item)
    assert (found.key, found.line) == ("slo[1].name", 15)


def test_a_variant_that_makes_its_decisions_bad_is_refused(
    problems: Problems, minimal: str
) -> None:
    ladder = (
        "variants: [{name: full, path: model.onnx}, {name: int8, path: model.onnx, quality: 0.9}]"
    )
    item = "slo: [{name: a, objective: 99, good: on_time, on_burn: {variant: int8}}]\n"
    (found,) = problems(minimal.replace("path: model.onnx", ladder) + item)
    assert "good: [on_time, degraded]" in found.message


def test_openslo_files_stand_in_for_objectives(folder: Path, read: Read, minimal: str) -> None:
    (folder / "fast.yaml").write_text(OPENSLO, encoding="utf-8")
    (folder / "kept.yaml").write_text(RATIO, encoding="utf-8")
    fast, kept = read(minimal + "slo: [fast.yaml, kept.yaml]\n").config.slo
    assert (fast.name, fast.objective, fast.period) == ("fast", 99.9, Duration.parse("28d"))
    assert fast.latency == Duration.parse("50ms")
    assert (kept.bad, kept.objective, kept.period) == (
        ("shed", "dead_letter"),
        99.5,
        Duration.parse("7d"),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("openslo/v1", "openslo/v2alpha", 1, "must be openslo/v1"),
        ("kind: SLO", "kind: SLI", 2, "must be SLO"),
        ("Occurrences", "Timeslices", 16, "must be Occurrences"),
        ("service: direction", "service: direction\n  alertPolicies: [a]", 8, "is not read by streamproc"),
        ("isRolling: true", "calendar: {timeZone: UTC}", 15, "is not read by streamproc"),
        ("type: streamproc", "type: Prometheus", 12, "must be streamproc"),
        ("metric: latency", "metric: cost", 12, "must be latency or freshness"),
        ("op: lte", "op: gte", 18, "must be lte"),
        ("duration: 4w", "duration: 1M", 14, "such as 30d"),
        ("target: 0.999", "target: 1.5", 18, "below 100"),
        ("value: 0.05, ", "", 18, "is missing"),
    ],
)  # fmt: skip
def test_what_openslo_has_beyond_the_subset_is_refused_with_file_and_line(
    folder: Path, problems: Problems, minimal: str, old: str, new: str, line: int, words: str
) -> None:
    (folder / "fast.yaml").write_text(OPENSLO.replace(old, new, 1), encoding="utf-8")
    (found,) = problems(minimal + "slo: [fast.yaml]\n")
    assert (found.origin, found.line) == (str(folder / "fast.yaml"), line)
    assert words in found.message
