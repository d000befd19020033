"""Each kind of change, on a handful of events whose schedule can be followed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from streamproc.core import Outcome, TopicPartition
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.simulation import Machine, Rules, SimulatedVariant, Traffic, straight_line
from streamproc.replay.why import Setting, Window
from streamproc.replay.why.answer import Ended, answer
from streamproc.replay.why.changes import (
    CheaperVariant,
    EarlyDrop,
    FewerEvents,
    LargerBatches,
    MoreBudget,
    MoreExecutors,
    QuickerModel,
)
from streamproc.scheduling import Batching, LaneSpec

MS = 1_000_000
START_NS = 10_000 * MS


def setting(
    arrival_ms: list[float],
    event: int,
    *,
    budget_ms: int = 10,
    run_ms: int = 6,
    variants: tuple[int, ...] = (),
    batching: Batching | None = None,
    own_deadline: bool = False,
) -> Setting:
    """A batch of one takes so long, and none is larger; sending takes no time."""
    arrival_ns = START_NS + (np.array(arrival_ms) * MS).astype(np.int64)
    count = len(arrival_ms)
    return Setting(
        window=Window(
            traffic=Traffic(arrival_ns=arrival_ns, deadline_ns=arrival_ns + budget_ms * MS),
            source=np.zeros(count, np.int64),
            offset=np.arange(count),
            row=np.full(count, -1),
            event_time_ns=arrival_ns,
            has_budget=np.full(count, not own_deadline),
            sources=(TopicPartition("ticks", 0),),
        ),
        machine=Machine(
            variants=[
                SimulatedVariant(
                    straight_line(fixed_ns=0, per_event_ns=ms * MS, size_max=1),
                    f"v{ms}",
                    1 - 0.1 * n,
                )
                for n, ms in enumerate((run_ms, *variants))
            ]
        ),
        rules=Rules(
            batching=batching or Batching(max_size=1),
            lanes=[LaneSpec("default", budget_ns=budget_ms * MS)],
        ),
        event=event,
    )


def test_the_third_of_three_at_once_is_shed() -> None:
    three = setting([0.0, 0.1, 0.2], 2)
    assert sorted(three.run().outcome.tolist()) == [Outcome.ON_TIME, Outcome.SHED, Outcome.SHED]


def test_one_executor_more() -> None:
    two = setting([0.0, 0.1], 1)
    assert two.outcome is Outcome.SHED
    more = MoreExecutors(two).of(two, 1)
    assert more.setting.outcome is Outcome.ON_TIME
    assert (more.relative, more.words) == (1.0, "1 executor more (2 in place of 1)")


def test_more_budget_moves_the_deadlines_that_are_the_budgets() -> None:
    two = setting([0.0, 0.1], 1)
    kind = MoreBudget(two)
    assert kind.of(two, 1).setting.outcome is Outcome.SHED
    more = kind.of(two, 2)
    assert more.setting.outcome is Outcome.ON_TIME
    assert (more.words, more.relative) == ("2 ms more budget (12 ms)", 0.2)
    assert more.setting.deadline_ns == two.deadline_ns + 2 * MS
    assert more.setting.rules.lanes[0].budget_ns == 12 * MS
    assert MoreBudget(setting([0.0, 0.1], 1, own_deadline=True)).sizes == []


def test_a_quicker_model_and_a_cheaper_variant() -> None:
    two = setting([0.0, 0.1], 1)
    assert QuickerModel(two).of(two, 15).setting.outcome is Outcome.SHED
    assert QuickerModel(two).of(two, 20).setting.outcome is Outcome.ON_TIME
    assert CheaperVariant(two).sizes == range(1, 1)
    ladder = setting([0.0, 0.1], 1, variants=(4,))
    cheaper = CheaperVariant(ladder).of(ladder, 1)
    assert cheaper.setting.outcome is Outcome.ON_TIME
    assert cheaper.relative == pytest.approx(0.1)
    assert "v4" in cheaper.words


def test_fewer_events_leaves_the_event_itself() -> None:
    five = setting([0.0, 1.0, 2.0, 3.0, 4.0], 4)
    kind = FewerEvents(five, START_NS + int(0.5 * MS))
    half = kind.of(five, 50)
    assert [one.offset for one in half.without] == [2]
    assert half.setting.event == 3
    whole = kind.of(five, 100)
    assert [one.offset for one in whole.without] == [1, 2, 3]
    assert "without that burst: 3 events fewer in the 3.5 ms before it" in whole.words
    assert FewerEvents(five, five.arrival_ns).sizes == []


def test_larger_batches_go_on_as_the_last_step_did() -> None:
    line = straight_line(fixed_ns=2 * MS, per_event_ns=MS, size_max=4)
    small = setting([0.0, 0.1], 1, batching=Batching(max_size=4))
    small = replace(small, machine=Machine(variants=[SimulatedVariant(line)]))
    kind = LargerBatches(small)
    assert kind.sizes[0] == 5
    larger = kind.of(small, 6).setting.machine.variants[0].run_ns
    assert (larger / MS).tolist() == [3, 4, 5, 6, 7, 8]


def test_the_planner_only_where_it_is_another() -> None:
    assert EarlyDrop(setting([0.0], 0)).sizes == []
    fixed = setting([0.0], 0, batching=Batching(policy="fixed", max_size=1))
    assert EarlyDrop(fixed).of(fixed, 1).setting.rules.batching.policy == "early_drop"


def test_the_answer_names_the_smallest_and_tells_what_was_in_the_way() -> None:
    two = setting([0.0, 0.1], 1)
    ended = Ended(outcome=Outcome.SHED, reason="planner", final_ns=two.arrival_ns + 2 * MS)
    found = answer(two, Coordinates("ticks", 0, 1), ended)
    assert found.rerun_outcome is Outcome.SHED
    assert found.story.running == [1]
    assert found.story.running_left_ns == pytest.approx(5.9 * MS)
    assert found.story.stages_ns == {"broker": 0, "decode": 0, "queue": 2 * MS}
    assert [(change.kind, change.amount) for change in found.changes] == [
        ("budget", 2),
        ("model", 20),
        ("executors", 1),
        ("traffic", 100),
    ]


def test_nothing_saves_what_alone_takes_too_long() -> None:
    late = setting([0.0], 0, run_ms=500, own_deadline=True)
    ended = Ended(outcome=Outcome.SHED, reason="expired", final_ns=late.arrival_ns)
    kinds = [change.kind for change in answer(late, Coordinates("ticks", 0, 0), ended).changes]
    assert kinds == []
