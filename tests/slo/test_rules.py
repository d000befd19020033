"""The rules hold before Prometheus' own checks, and their unit tests pass and can fail."""

from pathlib import Path

import pytest
import yaml

from streamproc.core import Duration
from streamproc.slo import Labels, Objective, Session, rules_of, unit_tests_of
from tests.support.prometheus import program, promtool

OBJECTIVES = [
    Objective("on-time", 99.0, good="on_time"),
    Objective("fast", 99.9, latency=Duration.parse("50ms")),
    Objective("kept", 95.0, bad="shed", lane="vip", period=Duration.parse("7d")),
    Objective("fresh", 99.0, freshness=Duration.parse("1s"), period=Duration.parse("1d")),
    Objective("right", 60.0, labels=Labels("truth")),
    Objective("bell", 99.0, bad=("late", "shed"), period=Session("09:30", "16:00")),
]


def write(folder: Path, objective: Objective) -> dict[str, str]:
    rules = rules_of('say "hi"', [objective], 'job="x"')
    tests = unit_tests_of(
        'say "hi"', [objective], "rules.yml", selector='job="x"', labels={"job": "x"}
    )
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    (folder / "tests.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    return {
        rule["alert"]: rule["expr"]
        for g in rules["groups"]
        for rule in g["rules"]
        if "alert" in rule
    }


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_prometheus_reads_the_rules(tmp_path: Path, objective: Objective) -> None:
    write(tmp_path, objective)
    assert "18 rules found" in promtool("check", "rules", "rules.yml", cwd=tmp_path)


@pytest.mark.parametrize("objective", OBJECTIVES[:2], ids=lambda o: o.name)
def test_their_unit_tests_pass(tmp_path: Path, objective: Objective) -> None:
    write(tmp_path, objective)
    assert "SUCCESS" in promtool("test", "rules", "tests.yml", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES[2:], ids=lambda o: o.name)
def test_their_unit_tests_pass_for_the_others(tmp_path: Path, objective: Objective) -> None:
    write(tmp_path, objective)
    assert "SUCCESS" in promtool("test", "rules", "tests.yml", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [("> 14.4", "> 13"), ("> 14.4", "> 17"), (">= 100", ">= 1"), ("> 1 *", "> 0.8 *"), ("absent_over_time", "vector(0) < ")],
)  # fmt: skip
def test_their_unit_tests_fail_for_other_rules(tmp_path: Path, old: str, new: str) -> None:
    program("promtool")
    write(tmp_path, OBJECTIVES[0])
    text = (tmp_path / "rules.yml").read_text(encoding="utf-8")
    broken = (
        text.replace(old, new)
        if "absent" not in old
        else text.replace("or sum(absent_over_time", "or sum(0 * absent_over_time").replace(
            "for: 5m", "for: 50m"
        )
    )
    assert broken != text
    (tmp_path / "rules.yml").write_text(broken, encoding="utf-8")
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", "tests.yml", cwd=tmp_path)


def test_every_scenario_is_there() -> None:
    names = [
        t["name"] for t in unit_tests_of("p", OBJECTIVES[:1], "r", selector="", labels={})["tests"]
    ]
    for words in (
        "fires above 14.4",
        "fires above 1",
        "silent below 1",
        "silent after recovery",
        "silent under few events",
        "fires on absence",
    ):
        assert any(words in name for name in names), words
