"""The Prometheus page, read back with Prometheus' own parsers."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from prometheus_client import REGISTRY
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from streamproc.core import ModelInfo, Outcome, Reason, TopicPartition
from streamproc.telemetry import (
    UNKNOWN,
    Accounts,
    Gauges,
    PipelineCollector,
    WorkerStates,
    make_registry,
    names,
    render,
)
from streamproc.telemetry.exemplars import Exemplar

MS = 1_000_000
DEADLINE_NS = 33 * MS
Read = Callable[[Accounts, Gauges], dict[str, Metric]]


FULL = ModelInfo(variant="full", digest="sha256:ab", runs_on="CPU")
SMALL = ModelInfo(variant="small", digest="sha256:cd", runs_on="CPU")


def page(
    accounts: Accounts, gauges: Gauges, accept: str, *, models: Sequence[ModelInfo] = (FULL,)
) -> tuple[str, str]:
    collector = PipelineCollector(
        lambda: accounts,
        gauges=lambda: gauges,
        models=lambda: models,
        version="1.2.3",
    )
    body, content_type = render(make_registry(collector), accept)
    return body.decode(), content_type


def as_text(accounts: Accounts, gauges: Gauges) -> dict[str, Metric]:
    body, content_type = page(accounts, gauges, "*/*")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in read_text(body)}


def as_openmetrics(accounts: Accounts, gauges: Gauges) -> dict[str, Metric]:
    # What Prometheus 3 sends.
    accept = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    )
    body, content_type = page(accounts, gauges, accept)
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith("# EOF\n")
    families = read_openmetrics(body)  # type: ignore[no-untyped-call]
    return {family.name: family for family in families}


@pytest.fixture(params=[as_text, as_openmetrics])
def read(request: pytest.FixtureRequest) -> Read:
    reader: Read = request.param
    return reader


def samples(families: dict[str, Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }


def labelled(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_outcomes_add_up_to_what_was_consumed(read: Read) -> None:
    accounts = Accounts(pipeline="direction")
    accounts.settle(Outcome.ON_TIME, 3)
    accounts.settle(Outcome.LATE, 1)
    accounts.settle(Outcome.SHED, 5, Reason.EXPIRED)
    found = samples(read(accounts, Gauges()))
    outcomes = {key: value for key, value in found.items() if key[0] == names.OUTCOMES}
    assert sum(outcomes.values()) == accounts.consumed == 9
    common = {"pipeline": "direction", "lane": "default"}
    assert outcomes[labelled(names.OUTCOMES, **common, outcome="on_time", reason="")] == 3
    assert outcomes[labelled(names.OUTCOMES, **common, outcome="late", reason="")] == 1
    assert outcomes[labelled(names.OUTCOMES, **common, outcome="shed", reason="expired")] == 5


def test_outcomes_stand_at_zero_before_they_first_occur(read: Read) -> None:
    found = samples(read(Accounts(pipeline="p"), Gauges()))
    outcomes = {
        dict(labels)["outcome"]: value
        for (name, labels), value in found.items()
        if name == names.OUTCOMES
    }
    assert outcomes == {"on_time": 0, "late": 0, "shed": 0, "dead_letter": 0}


def test_lanes_have_series_of_their_own(read: Read) -> None:
    lanes = ("top", "default")
    accounts = Accounts(
        pipeline="p", lanes=lanes, shed_reasons=(Reason.EXPIRED, Reason.PLANNER, Reason.PRIORITY)
    )
    accounts.settle_lanes(Outcome.ON_TIME, np.array([0, 1, 1, 0, 1]))
    accounts.settle_lanes(Outcome.SHED, np.array([1, 1]), Reason.PRIORITY)
    accounts.settle(Outcome.SHED, 4, Reason.EXPIRED, lane=UNKNOWN)
    accounts.settle(Outcome.DEAD_LETTER, 1, Reason.UNDECODABLE, lane=UNKNOWN)
    found = samples(read(accounts, Gauges(queue_depth=3, lane_depths={"top": 1, "default": 2})))

    def count(lane: str, outcome: str, reason: str = "") -> float | None:
        return found.get(
            labelled(names.OUTCOMES, pipeline="p", lane=lane, outcome=outcome, reason=reason)
        )

    assert [count(lane, "on_time") for lane in (*lanes, "unknown")] == [2, 3, None]
    assert [count(lane, "shed", "priority") for lane in (*lanes, "unknown")] == [0, 2, None]
    assert [count(lane, "shed", "expired") for lane in (*lanes, "unknown")] == [0, 0, 4]
    assert [count(lane, "shed", "codel") for lane in lanes] == [None, None]
    assert [count(lane, "dead_letter", "model_failed") for lane in lanes] == [0, 0]
    assert count("unknown", "dead_letter", "undecodable") == 1
    assert (
        sum(v for (name, _), v in found.items() if name == names.OUTCOMES)
        == accounts.consumed
        == 12
    )
    assert [found[labelled(names.QUEUE_DEPTH, lane=lane)] for lane in lanes] == [1, 2]


def test_degraded_stands_at_zero_where_there_are_variants() -> None:
    for models, there in (((FULL,), False), ((FULL, SMALL), True)):
        body, _ = page(Accounts(pipeline="p"), Gauges(), "*/*", models=models)
        assert ('outcome="degraded"' in body) is there
        assert ('variant="small"' in body) is there


def test_a_deadline_is_a_bucket_and_within_it(read: Read) -> None:
    accounts = Accounts(pipeline="p", exact_bounds_ns=(DEADLINE_NS,))
    accounts.latency(np.array([-5, DEADLINE_NS, DEADLINE_NS, DEADLINE_NS + 1, 70_000 * MS]))
    found = samples(read(accounts, Gauges()))
    assert found[labelled(names.E2E_LATENCY + "_bucket", lane="default", le="0.033")] == 3
    assert found[labelled(names.E2E_LATENCY + "_bucket", lane="default", le="0.05")] == 4
    assert found[labelled(names.E2E_LATENCY + "_bucket", lane="default", le="60.0")] == 4
    assert found[labelled(names.E2E_LATENCY + "_bucket", lane="default", le="+Inf")] == 5
    assert found[labelled(names.E2E_LATENCY + "_count", lane="default")] == 5
    assert found[labelled(names.E2E_LATENCY + "_sum", lane="default")] == pytest.approx(
        70.099000001
    )
    assert found[labelled(names.AHEAD_OF_CLOCK)] == 1


def test_lanes_have_latencies_of_their_own(read: Read) -> None:
    accounts = Accounts(pipeline="p", lanes=("top", "default"))
    accounts.latency(np.array([5 * MS, 7 * MS, 90 * MS]), np.array([1, 0, 1]))
    accounts.latency(np.array([5 * MS]), 0)
    found = samples(read(accounts, Gauges()))
    for lane, count, below in (("top", 2, 2), ("default", 2, 1)):
        assert found[labelled(names.E2E_LATENCY + "_count", lane=lane)] == count
        assert found[labelled(names.E2E_LATENCY + "_bucket", lane=lane, le="0.05")] == below
    assert accounts.e2e.count == 4


def test_a_bucket_names_its_newest_trace() -> None:
    accounts = Accounts(pipeline="p")
    accounts.latency(np.array([5 * MS, 5 * MS]))
    for number, at_ns in ((1, 10**18), (2, 10**18 + MS)):
        accounts.exemplars["e2e"].note(Exemplar(f"{number:032x}", 5 * MS, at_ns))
    other = Accounts(pipeline="p")
    other.exemplars["e2e"].note(Exemplar(f"{3:032x}", 5 * MS - 1, 10**18 + 2 * MS))
    accounts.merge(other)
    family = as_openmetrics(accounts, Gauges())[names.E2E_LATENCY]
    named = {s.labels["le"]: s.exemplar for s in family.samples if s.exemplar}
    assert list(named) == ["0.005"]
    assert named["0.005"].labels == {"trace_id": f"{3:032x}"}
    assert named["0.005"].value == pytest.approx(0.004999999)
    assert float(named["0.005"].timestamp) == pytest.approx(1e9, abs=0.01)
    assert "trace_id" not in page(accounts, Gauges(), "*/*")[0]


def test_the_samples_say_what_the_text_says() -> None:
    accounts = Accounts(pipeline="p", lanes=('a"b\\', "default"))
    accounts.latency(np.array([5 * MS, 7 * MS]), np.array([0, 1]))
    collector = PipelineCollector(lambda: accounts, gauges=Gauges, models=lambda: (), version="1")
    (family,) = (f for f in collector.collect() if f.name == names.E2E_LATENCY)
    read = as_openmetrics(accounts, Gauges())[names.E2E_LATENCY]
    assert samples({"": family}) == samples({"": read})


def test_stages_and_batches(read: Read) -> None:
    accounts = Accounts(pipeline="p", exact_bounds_ns=(DEADLINE_NS,))
    accounts.stage_constant("infer", 2 * MS, 10)
    accounts.batch(10, "full", room=16)
    accounts.batch(1, "drain")
    families = read(accounts, Gauges())
    found = samples(families)
    assert {s.labels["stage"] for s in families[names.STAGE_LATENCY].samples} == {"infer"}
    assert found[labelled(names.STAGE_LATENCY + "_bucket", stage="infer", le="0.002")] == 10
    assert found[labelled(names.STAGE_LATENCY + "_bucket", stage="infer", le="0.001")] == 0
    assert found[labelled(names.BATCH_SIZE + "_bucket", le="8.0")] == 1
    assert found[labelled(names.BATCH_SIZE + "_bucket", le="16.0")] == 2
    assert found[labelled(names.BATCH_SIZE + "_sum")] == 11
    assert found[labelled(names.BATCH_ROOM)] == 17
    assert found[labelled(names.BATCHES, reason="full")] == 1
    assert found[labelled(names.BATCHES, reason="deadline")] == 0


def test_gauges_and_infos(read: Read) -> None:
    gauges = Gauges(
        queue_depth=7,
        demand_workers=1.25,
        variant_level=1,
        lag_records={TopicPartition('od"d\\', 1): 4, TopicPartition("ticks", 0): 3},
        lag_seconds=0.25,
        loop_lag_seconds=0.001,
        event_time_skew_seconds={"ticks/0": -1.27},
    )
    found = samples(read(Accounts(pipeline="p"), gauges))
    assert found[labelled(names.QUEUE_DEPTH, lane="default")] == 7
    assert found[labelled(names.DEMAND_WORKERS)] == 1.25
    assert found[labelled(names.VARIANT_LEVEL)] == 1
    assert found[labelled(names.CONSUMER_LAG_RECORDS, topic="ticks", partition="0")] == 3
    assert found[labelled(names.CONSUMER_LAG_RECORDS, topic='od"d\\', partition="1")] == 4
    assert found[labelled(names.CONSUMER_LAG)] == 0.25
    assert found[labelled(names.LOOP_LAG)] == 0.001
    assert found[labelled(names.EVENT_TIME_SKEW, source="ticks/0")] == -1.27
    assert found[labelled(names.BUILD, version="1.2.3")] == 1
    assert found[labelled(names.VARIANT, variant="full", digest="sha256:ab", runs_on="CPU")] == 1


def test_workers(read: Read) -> None:
    states = WorkerStates(
        by_state={"starting": 0, "ready": 3, "down": 1}, restarts=2, cpu_seconds=1.5
    )
    found = samples(read(Accounts(pipeline="p"), Gauges(workers=states)))
    assert found[labelled(names.WORKERS, state="ready")] == 3
    assert found[labelled(names.WORKERS, state="starting")] == 0
    assert found[labelled(names.WORKERS, state="down")] == 1
    assert found[labelled(names.WORKER_RESTARTS)] == 2
    assert found[labelled(names.WORKER_CPU)] == 1.5


def test_counters(read: Read) -> None:
    accounts = Accounts(pipeline="p")
    accounts.acked_late, accounts.handed_back = 1, 2
    accounts.skips["retention"], accounts.skips["skip_ahead"] = 3, 4
    found = samples(read(accounts, Gauges()))
    assert found[labelled(names.ACKED_LATE)] == 1
    assert found[labelled(names.HANDED_BACK)] == 2
    assert found[labelled(names.SKIPPED, reason="retention")] == 3
    assert found[labelled(names.SKIPPED, reason="skip_ahead")] == 4
    assert accounts.skipped == 7


def test_what_is_not_measured_is_not_exposed(read: Read) -> None:
    found = {name for name, _ in samples(read(Accounts(pipeline="p"), Gauges()))}
    absent = {
        names.QUEUE_DEPTH,
        names.CONSUMER_LAG,
        names.CONSUMER_LAG_RECORDS,
        names.EVENT_TIME_SKEW,
        names.LOOP_LAG,
        names.DEMAND_WORKERS,
        names.VARIANT_LEVEL,
        names.STAGE_LATENCY + "_bucket",
        names.WORKERS,
        names.WORKER_RESTARTS,
        names.WORKER_CPU,
    }
    assert not found & absent


def test_the_process_is_there_and_the_global_registry_is_left_alone(read: Read) -> None:
    found = {name for name, _ in samples(read(Accounts(pipeline="p"), Gauges()))}
    assert {"process_cpu_seconds_total", "python_gc_collections_total"} <= found
    assert not [m.name for m in REGISTRY.collect() if m.name.startswith("streamproc")]


def test_every_name_is_ours_and_said_once() -> None:
    said = [value for name, value in vars(names).items() if name.isupper() and "LANE_" not in name]
    assert len(set(said)) == len(said)
    assert all(name.startswith("streamproc_") for name in said)
