"""The parts of a demo that need no broker: the plan, the pretended device, the verdict."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.cli.assets import asset, template
from streamproc.cli.demo import recording_of
from streamproc.cli.demo_broker import DemoBroker, EmbeddedDemoBroker
from streamproc.cli.demo_plan import Plan, largest_batch, make_plan, pretended
from streamproc.cli.demo_verdict import judge
from streamproc.cli.demo_view import share_in_time
from streamproc.core import NS_PER_S, ConfigError
from streamproc.executors import Simulated
from streamproc.replay import Recording, Seen, open_recording
from streamproc.telemetry import Accounts, Summary
from tests.cli.support import MARKET, SENSOR

BUDGET_NS = 50_000_000


def planned(
    rate: float | None = None, overload: float | None = None, record: Path | None = None
) -> Plan:
    return make_plan(
        MARKET,
        Recording(asset("replay", "market", "btcusdt.jsonl.gz")),
        place=EmbeddedDemoBroker("127.0.0.1:5"),
        duration_ns=3 * NS_PER_S,
        rate_per_s=rate,
        overload=overload,
        listen="127.0.0.1:0",
        record=record,
    )


def test_by_default_it_plays_as_recorded() -> None:
    plan = planned()
    assert (plan.job.speed, plan.job.count, plan.device) == (1.0, 683, None)
    config = plan.loaded.config
    assert list(config.source.topics) == [plan.place.events]
    assert config.sink.topic == plan.place.decisions
    assert int(config.source.fetch_max_wait) == 1_000_000


def test_the_sensor_recording_plays_42_windows_a_second() -> None:
    plan = make_plan(
        SENSOR,
        open_recording(asset("replay", "sensor", "exercises.npz")),
        place=EmbeddedDemoBroker("127.0.0.1:5"),
        duration_ns=15 * NS_PER_S,
        rate_per_s=None,
        overload=None,
        listen="127.0.0.1:0",
    )
    assert (plan.template, plan.job.speed, plan.job.count) == ("sensor", 1.0, 15 * 42)


@pytest.mark.parametrize(
    ("template_name", "count"), [("market-quotes", 3_935), ("sensor-samples", 30_563)]
)
def test_raw_events_are_played_as_recorded(template_name: str, count: int) -> None:
    plan = make_plan(
        template(template_name) / "pipeline.yaml",
        recording_of(template_name),
        place=EmbeddedDemoBroker("127.0.0.1:5"),
        duration_ns=15 * NS_PER_S,
        rate_per_s=None,
        overload=None,
        listen="127.0.0.1:0",
    )
    assert (plan.template, plan.job.speed, plan.job.count) == (template_name, 1.0, count)


def test_a_rate_is_met_in_the_demos_own_duration() -> None:
    assert planned(rate=1000).job.count == pytest.approx(3000, abs=1)


def test_an_overload_pretends_a_device_of_that_capacity() -> None:
    plan = planned(rate=1000, overload=4)
    assert plan.loaded.config.model.executor == plan.device
    assert plan.loaded.config.model.path is not None  # the decisions are the real model's
    assert plan.device is not None
    assert capacity(plan.device, 0.4 * BUDGET_NS) == pytest.approx(250, rel=0.01)


def capacity(device: Simulated, run_ns: float) -> float:
    batch = (run_ns - int(device.fixed)) / int(device.per_event)
    return batch * NS_PER_S / run_ns


@given(st.floats(25, 1e5))
def test_a_device_fits_its_budget(capacity_per_s: float) -> None:
    device = pretended(capacity_per_s, budget_ns=BUDGET_NS)
    size = largest_batch(device, budget_ns=BUDGET_NS)
    assert int(device.fixed) + int(device.per_event) * size <= BUDGET_NS


def test_a_hopeless_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="use a --rate above 21 times the overload"):
        pretended(20, budget_ns=BUDGET_NS)


@pytest.mark.parametrize(
    ("servers", "shared"),
    [
        ("127.0.0.1:9092", True),
        ("localhost:1,[::1]:2", True),
        ("10.0.0.1:9092", False),
        ("localhost:1,kafka:2", False),
    ],
)
def test_whose_clock_it_is(servers: str, shared: bool) -> None:
    assert DemoBroker(servers).shares_our_clock is shared


def good() -> tuple[Summary, Seen, dict[str, Any]]:
    summary = Accounts(pipeline="p").summary(1.0, 0.1)
    summary["consumed"] = 10
    summary["outcomes"] |= {"on_time": 6, "late": 1, "shed": 3}
    seen = Seen(records=8, distinct=7, outcomes={"on_time": 6, "late": 1}, stamped=6)
    return summary, seen, {"sent": 10, "failed": 0}


def test_a_good_run() -> None:
    summary, seen, generator = good()
    verdict = judge(summary, seen, generator, shared_clock=True)
    assert verdict.ok
    assert verdict.as_json()["repeats"] == 1


def test_a_decision_that_was_delayed_on_its_way_breaks_nothing_if_the_books_say_late() -> None:
    summary, seen, generator = good()
    seen.outcomes = {"on_time": 7}
    seen.appended_after_deadline = 1
    assert judge(summary, seen, generator, shared_clock=True).ok


Breaks = Callable[[Any, Seen, dict[str, Any]], None]


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda s, _v, _g: s["outcomes"].update(shed=2), "add up to 9, but 10 were consumed"),
        (lambda _s, v, _g: setattr(v, "distinct", 6), "1 decisions of the books are not in"),
        (lambda _s, v, _g: setattr(v, "distinct", 8), "8 decisions were seen"),
        (lambda _s, v, _g: setattr(v, "decided_after_deadline", 1), "made after their deadline"),
        (lambda _s, v, _g: setattr(v, "appended_after_deadline", 1), "appended only 5"),
        (lambda _s, v, _g: setattr(v, "undecodable", 1), "are no decisions"),
        (lambda _s, _v, g: g.update(sent=11), "1 of the events that were sent were not consumed"),
        (lambda _s, _v, g: g.update(sent=12, failed=2), "2 events never reached the broker"),
    ],
)
def test_every_broken_promise_is_found(breaks: Breaks, said: str) -> None:
    summary, seen, generator = copy.deepcopy(good())
    breaks(summary, seen, generator)
    verdict = judge(summary, seen, generator, shared_clock=True)
    assert not verdict.ok
    assert said in verdict.problems[0]


def test_another_machines_clock_is_not_judged() -> None:
    summary, seen, generator = good()
    seen.appended_after_deadline = 5
    verdict = judge(summary, seen, generator, shared_clock=False)
    assert verdict.ok
    assert verdict.as_json()["appended_after_deadline"] is None


def test_what_the_broker_dropped_unread_is_not_held_against_the_pipeline() -> None:
    summary, seen, generator = good()
    seen.distinct, seen.unread = 5, 2
    assert judge(summary, seen, generator, shared_clock=True).ok


def test_a_recording_goes_into_a_folder_that_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = planned(record=Path("kept")).loaded.config.record
    assert record is not None
    assert record.path == str(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.mcap").touch()
    with pytest.raises(ConfigError, match="--record kept: is there already"):
        planned(record=Path("kept"))


def test_what_gets_no_decision_is_no_part_of_the_share_in_time() -> None:
    summary, _, _ = good()
    summary["outcomes"] |= {"on_time": 45, "degraded": 45, "late": 10, "shed": 0}
    summary["outcomes"] |= {"filtered": 100, "absorbed": 800}
    summary["consumed"] = 1_000
    assert share_in_time(summary) == "90.00%"
