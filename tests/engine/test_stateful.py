"""A model that carries state of each key from event to event, through the engine."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import NS_PER_S, Columns, Duration, Executor, Size, StateSpec, TensorSpec
from streamproc.executors import Model, ModelState, OnnxRuntime
from streamproc.scheduling import Batching, Expired, Planner, ShedPolicy, TailDrop
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import MS, POISON, pipeline, within
from tests.support.models import leaky_sum

T0 = 1_699_990_000 * NS_PER_S
NO_RESTORE: Mapping[str, Any] = {"inputs": {"h": "hN"}, "restore": "none"}


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return leaky_sum(tmp_path_factory.mktemp("models") / "leaky.onnx", batch_axis=1)


def stateful(path: str, *, slots: int = 1, **state: Any) -> Model:
    return Model(
        path=path,
        executor=OnnxRuntime(concurrency=slots),
        inputs={"x": "x"},
        constants={"gain": 1.0},
        state=ModelState(**(NO_RESTORE | state)),
    )


def make(model: Model, **changes: Any) -> PipelineTest:
    parts: dict[str, Any] = {"shed": (), "deadline": within("10s", from_="arrival"), "model": model}
    executor = changes.pop("executor", None)
    partitions = changes.pop("partitions", 1)
    return PipelineTest(pipeline(**(parts | changes)), executor=executor, partitions=partitions)


def loop(events: Sequence[tuple[str, float]]) -> list[float]:
    """What a plain loop gives, event by event."""
    state: dict[str, float] = defaultdict(float)
    made = []
    for key, x in events:
        state[key] = state[key] / 2 + x
        made.append(state[key])
    return made


def decided(test: PipelineTest) -> dict[str, float]:
    return {d.id: d.output[0] for d in test.run().decisions}


KEYS = st.sampled_from(["a", "b", "c"])
EVENTS = st.lists(
    st.tuples(KEYS, st.integers(-8, 8).map(float), st.integers(0, 3)), min_size=1, max_size=24
)


@settings(max_examples=40, deadline=None)
@given(events=EVENTS, slots=st.integers(1, 3), size=st.integers(1, 5))
def test_any_interleaving_batches_and_slots_give_what_a_loop_gives(
    model_path: str, events: list[tuple[str, float, int]], slots: int, size: int
) -> None:
    test = make(stateful(model_path, slots=slots), batching=Batching(max_size=size))
    at_ns = test.now_ns
    for key, x, gap in events:
        at_ns += gap * MS // 2
        test.send("ticks", {"x": x}, key=key, at_ns=at_ns)
    made = decided(test)
    wanted = loop([(key, x) for key, x, _ in events])
    assert made == {f"ticks/0/{place}": y for place, y in enumerate(wanted)}


def test_several_keys_share_a_batch_and_one_key_never_does(model_path: str) -> None:
    test = make(stateful(model_path))
    for _ in range(3):
        for key in "abcd":
            test.send("ticks", {"x": 1.0}, key=key)
    test.run()
    assert test.executor.sizes[-3:] == [4, 4, 4]


def test_the_decisions_of_a_key_leave_in_its_order_on_several_executors(model_path: str) -> None:
    test = make(stateful(model_path, slots=3), batching=Batching(max_size=2))
    for place in range(12):
        test.send("ticks", {"x": float(place)}, key="ab"[place % 2])
    ids = [int(d.id.rpartition("/")[2]) for d in test.run().decisions]
    for parity in (0, 1):
        own = [place for place in ids if place % 2 == parity]
        assert own == sorted(own)
        assert len(own) == 6


def test_keys_of_two_partitions_have_two_states(model_path: str) -> None:
    test = make(stateful(model_path), partitions=2)
    for partition in (0, 1):
        test.send("ticks", {"x": 1.0}, key="k", partition=partition)
        test.send("ticks", {"x": 1.0}, key="k", partition=partition)
    assert list(decided(test).values()).count(1.5) == 2


def test_an_event_that_the_model_fails_on_leaves_the_state_as_before(model_path: str) -> None:
    test = make(stateful(model_path))
    values = [1.0, POISON, 4.0]
    for x in values:
        test.send("ticks", {"x": x}, key="k")
        test.send("ticks", {"x": 2.0}, key="other")
    result = test.run()
    assert {d.id: d.output[0] for d in result.decisions if d.key == "k"} == {
        "ticks/0/0": 1.0,
        "ticks/0/4": 4.5,
    }
    assert [d.output[0] for d in result.decisions if d.key == "other"] == [2.0, 3.0, 3.5]
    assert result.dead_letters[0].reason == "not_finite"


def test_an_exception_of_the_model_costs_its_own_event_and_no_state(model_path: str) -> None:
    test = make(stateful(model_path), executor=failing(POISON))
    for x in (1.0, POISON, 4.0):
        for key in "abcde":
            test.send("ticks", {"x": x if key == "c" else 2.0}, key=key)
    result = test.run()
    assert [d.output[0] for d in result.decisions if d.key == "c"] == [1.0, 4.5]
    assert [d.output[0] for d in result.decisions if d.key == "e"] == [2.0, 3.0, 3.5]
    assert [letter.reason for letter in result.dead_letters] == ["model_failed"]


def failing(poison: float) -> Executor:
    """The leaky sum as a function that raises at the poison."""

    def run(inputs: Columns) -> Columns:
        if (inputs["x"] == poison).any():
            msg = "poison"
            raise ValueError(msg)
        state = inputs["h"] / 2 + inputs["x"]
        return {"y": state, "hN": state}

    return carrying(run)


def carrying(run: Callable[[Columns], Columns]) -> FakeExecutor:
    fake = FakeExecutor(run, inputs=(TensorSpec("x", "float32", (1,)),))
    fake.info = replace(fake.info, state=(StateSpec("h", "hN", "float32", (2,)),))
    return fake


@pytest.mark.parametrize(("on_gap", "wanted"), [("keep", 4.5), ("reset", 4.0)])
def test_a_shed_event_is_a_gap(model_path: str, on_gap: str, wanted: float) -> None:
    test = make(stateful(model_path, on_gap=on_gap), shed=(TailDrop(max_queue=1),))
    test.send("ticks", {"x": 1.0}, key="k")
    test.run()
    test.send("ticks", {"x": 9.0}, key="z")  # keeps the executor, and the next one the queue
    test.send("ticks", {"x": 9.0}, key="y", at_ns=test.now_ns + MS // 4)
    test.send("ticks", {"x": 2.0}, key="k", at_ns=test.now_ns + MS // 2)
    result = test.run()
    assert result.outcome_of("ticks/0/3") == "shed"
    test.send("ticks", {"x": 4.0}, key="k")
    assert decided(test)["ticks/0/4"] == wanted


def test_what_waits_behind_its_key_is_given_up_when_it_is_too_late(model_path: str) -> None:
    test = make(stateful(model_path), shed=("expired",), deadline=within("30ms", from_="arrival"))
    for _ in range(200):
        test.send("ticks", {"x": 1.0}, key="k")
    result = test.run()
    outcomes = result.summary["outcomes"]
    assert outcomes["on_time"] > 0
    assert outcomes["shed"] > 100
    assert outcomes["on_time"] + outcomes["shed"] == 200
    assert result.summary["reasons"] == {"expired": outcomes["shed"]}


def test_a_key_that_pauses_longer_than_its_ttl_begins_anew(model_path: str) -> None:
    test = make(stateful(model_path, ttl=Duration.parse("10s")))
    for second, x in ((0, 1.0), (10, 1.0), (21, 4.0)):
        test.send("ticks", {"x": x}, key="k", timestamp_ns=T0 + second * NS_PER_S)
    assert list(decided(test).values()) == [1.0, 1.5, 4.0]


def test_the_ttl_counts_by_the_partitions_time_whenever_the_batches_run(model_path: str) -> None:
    test = make(stateful(model_path, ttl=Duration.parse("10s")))
    test.send("ticks", {"x": 1.0}, key="k", timestamp_ns=T0)
    test.send("ticks", {"x": 1.0}, key="other", timestamp_ns=T0 + 11 * NS_PER_S)
    test.send("ticks", {"x": 4.0}, key="k", timestamp_ns=T0 + 5 * NS_PER_S)
    assert list(decided(test).values()) == [1.0, 1.0, 4.0]


def test_keys_not_seen_for_longest_make_room(model_path: str) -> None:
    test = make(stateful(model_path, max_keys=2))
    for key in "abcab":
        test.send("ticks", {"x": 1.0}, key=key)
    assert list(decided(test).values()) == [1.0] * 5
    held = test._assembly.engine.stateful
    assert held is not None
    assert (len(held.turns), held.turns.evicted_total) == (2, 3)


def test_the_memory_for_the_state_is_bounded(model_path: str) -> None:
    test = make(stateful(model_path, max_bytes=Size(8)))
    for key in "abab":
        test.send("ticks", {"x": 1.0}, key=key)
    assert list(decided(test).values()) == [1.0] * 4


@settings(max_examples=25, deadline=None)
@given(
    keys=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30),
    room=st.integers(1, 4),
    size=st.integers(1, 4),
    slots=st.integers(1, 2),
)
def test_which_keys_begin_anew_does_not_depend_on_the_batches(
    model_path: str, keys: list[str], room: int, size: int, slots: int
) -> None:
    made = []
    for batching, at_once in ((Batching(max_size=size), slots), (Batching(max_size=1), 1)):
        test = make(stateful(model_path, slots=at_once, max_keys=room), batching=batching)
        for key in keys:
            test.send("ticks", {"x": 1.0}, key=key)
        made.append(decided(test))
    assert made[0] == made[1]
    seen: list[str] = []
    state: dict[str, float] = {}
    for place, key in enumerate(keys):
        state[key] = (state.get(key, 0.0) if key in seen else 0.0) / 2 + 1.0
        seen = [*(other for other in seen if other != key), key][-room:]
        assert made[0][f"ticks/0/{place}"] == state[key]


def test_what_is_given_up_of_a_partition_is_handed_back_whole(model_path: str) -> None:
    test = make(stateful(model_path))
    for _ in range(4):
        test.send("ticks", {"x": 1.0}, key="k")
        test.send("ticks", {"x": 1.0}, key="other")
    test.revoke(("ticks", 0), at_ns=test.now_ns + MS // 2)
    result = test.run()
    assert result.summary["handed_back"] == 8
    assert not result.decisions
    held = test._assembly.engine.stateful
    assert held is not None
    assert (len(held.turns), held.turns.held) == (0, 0)
    test.assign(("ticks", 0))
    assert sorted(decided(test).values()) == [1.0, 1.0, 1.5, 1.5, 1.75, 1.75, 1.875, 1.875]


def test_another_model_begins_anew_and_the_old_ones_answers_are_not_kept(model_path: str) -> None:
    test = make(stateful(model_path))
    test.send("ticks", {"x": 1.0}, key="k")
    test.run()
    held = test._assembly.engine.stateful
    assert held is not None
    test.send("ticks", {"x": 1.0}, key="k")
    test.call(held.another_model, at_ns=test.now_ns + MS // 2)
    test.send("ticks", {"x": 4.0}, key="k", at_ns=test.now_ns + MS // 2)
    assert list(decided(test).values()) == [1.0, 1.5, 4.0]


RESTORED: Mapping[str, Any] = {"restore": "rewind", "remembers": Duration.parse("10s")}


def feed(test: PipelineTest, begin: int, end: int) -> None:
    for second in range(begin, end):
        for key in ("a", "b") if second % 3 else ("a",):
            test.send("ticks", {"x": float(second)}, key=key, timestamp_ns=T0 + second * NS_PER_S)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_state_that_began_within_what_is_remembered_comes_back(
    model_path: str, delivery: str
) -> None:
    model = stateful(model_path, **RESTORED)
    without, with_ = make(model, delivery=delivery), make(model, delivery=delivery)
    for test in (without, with_):
        feed(test, 0, 6)
        test.run()
    with_.revoke(("ticks", 0))
    with_.run()
    with_.assign(("ticks", 0))
    for test in (without, with_):
        feed(test, 6, 9)
    assert decided(with_) == decided(without)
    result = with_.run()
    assert result.summary["restored"] > 0
    assert result.summary["consumed"] == without.run().summary["consumed"]


def test_state_from_before_what_is_remembered_does_not_come_back(model_path: str) -> None:
    test = make(stateful(model_path, restore="rewind", remembers=Duration.parse("2s")))
    feed(test, 0, 6)
    test.run()
    test.revoke(("ticks", 0))
    test.run()
    test.assign(("ticks", 0))
    feed(test, 6, 7)
    test.run()
    wanted = loop([("a", 3.0), ("a", 4.0), ("a", 5.0), ("a", 6.0)])[-1]
    assert decided(test)["ticks/0/10"] == wanted


def test_nothing_is_restored_where_that_is_asked_for(model_path: str) -> None:
    test = make(stateful(model_path))
    feed(test, 0, 6)
    test.run()
    test.revoke(("ticks", 0))
    test.run()
    test.assign(("ticks", 0))
    feed(test, 6, 7)
    assert decided(test)["ticks/0/10"] == 6.0


@pytest.mark.parametrize(("keys", "at_least"), [(2, 140), (8, 155)])
def test_overload_is_served_in_batches_of_all_keys_and_not_one_by_one_at_the_last_moment(
    model_path: str, keys: int, at_least: int
) -> None:
    def in_time_per_s(*shed: ShedPolicy) -> float:
        test = make(stateful(model_path), shed=shed, deadline=within("50ms", from_="arrival"))
        test.executor.slow_down(fixed_ns=5 * MS, per_event_ns=4_500_000)
        begin_ns = test.now_ns
        for number in range(1_000):
            test.send("ticks", {"x": 1.0}, key=str(number % keys), at_ns=begin_ns + number * 2 * MS)
        return test.run().summary["outcomes"]["on_time"] / 2

    alone = in_time_per_s(Expired())
    assert 100 <= alone <= 110  # one by one: 5 ms + 4.5 ms each
    assert in_time_per_s(Expired(), Planner()) > at_least


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(
        st.tuples(KEYS, st.integers(1, 8).map(float), st.integers(0, 4)), min_size=4, max_size=40
    ),
    slots=st.integers(1, 3),
    size=st.integers(1, 4),
    on_gap=st.sampled_from(["keep", "reset"]),
    planner=st.booleans(),
)
def test_under_overload_the_state_is_that_of_the_events_that_were_answered(
    model_path: str,
    events: list[tuple[str, float, int]],
    slots: int,
    size: int,
    on_gap: str,
    planner: bool,
) -> None:
    test = make(
        stateful(model_path, slots=slots, on_gap=on_gap),
        batching=Batching(max_size=size),
        shed=(Expired(), Planner()) if planner else (Expired(),),
        deadline=within("12ms", from_="arrival"),
    )
    test.executor.slow_down(fixed_ns=3 * MS, per_event_ns=2 * MS)
    at_ns = test.now_ns
    for key, x, gap in events:
        at_ns += gap * MS
        test.send("ticks", {"x": x}, key=key, at_ns=at_ns)
    result = test.run()
    assert result.in_flight == 0
    assert sum(result.summary["outcomes"].values()) == len(events)
    made = {d.id: d.output[0] for d in result.decisions}
    state: dict[str, float] = defaultdict(float)
    for place, (key, x, _) in enumerate(events):
        name = f"ticks/0/{place}"
        if name in made:
            state[key] = state[key] / 2 + x
            assert made[name] == state[key]
        elif on_gap == "reset":
            state[key] = 0.0
    held = test._assembly.engine.stateful
    assert held is not None
    assert (held.turns.held, held._offered, held.has_due) == (0, {}, False)
