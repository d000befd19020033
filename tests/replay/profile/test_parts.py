"""What a profile is made of: parts that are timed, operators, lanes, stacks."""

import json
from pathlib import Path

import numpy as np
import pytest

from streamproc.core import Outcome, TopicPartition
from streamproc.engine.settled import Decided, Settled
from streamproc.executors import OnnxExecutor, OnnxRuntime, profiled_sessions
from streamproc.replay.profile import REST, LaneTimes, StageClock, operators
from streamproc.reports.flame import WIDTH, flame_graph
from streamproc.reports.stacks import flame, functions, read_stacks
from tests.executors.conftest import MakeModel, linear, make_model
from tests.support.events import events_of

__all__ = ["make_model"]

MS = 1_000_000
SOURCE = TopicPartition("ticks", 0)
STACKS = "main (a.py:1);run (b.py:2);decode (c.py:3) 60\nmain (a.py:1);run (b.py:2) 30\nother 10\n"


class Inner:
    def work(self, size: int) -> int:
        return sum(range(size))


class Outer:
    several = False

    def __init__(self, inner: Inner) -> None:
        self.inner = inner

    def run(self, size: int) -> int:
        self.inner.work(size)
        return self.inner.work(size)

    def fail(self) -> None:
        raise KeyError


def test_a_part_that_calls_another_is_charged_for_its_own_time_alone() -> None:
    clock = StageClock()
    inner = clock.watch("inner", Inner())
    outer = clock.watch("outer", Outer(inner))
    for _ in range(5):
        assert outer.run(20_000) == sum(range(20_000))
    found = {one.stage: one for one in clock.times(10**11)}
    assert (found["outer"].calls, found["inner"].calls) == (5, 10)
    assert found["inner"].took_ns > 0
    assert found[REST].took_ns == 10**11 - found["inner"].took_ns - found["outer"].took_ns


def test_what_stands_for_a_part_is_like_it() -> None:
    clock = StageClock()
    outer = clock.watch("outer", Outer(Inner()))
    assert outer.several is False
    outer.several = True
    with pytest.raises(KeyError):
        outer.fail()
    assert {one.stage: one.calls for one in clock.times(0)} == {"outer": 1, REST: 0}
    with pytest.raises(AttributeError):
        outer.missing  # type: ignore[attr-defined]  # noqa: B018


def test_operators_are_those_that_ran_after_the_warm_up(
    make_model: MakeModel, tmp_path: Path
) -> None:
    path = make_model(linear("batch"))
    with profiled_sessions(tmp_path):
        executor = OnnxExecutor(path, OnnxRuntime(), variant="full")
    for _ in range(3):
        executor.run({"x": np.zeros((4, 3), np.float32)})
    profile, begun_ns = executor.end_profile()
    assert profile.parent == tmp_path
    entries = json.loads(profile.read_text())
    runs_us = [e["ts"] for e in entries if e["name"] == "model_run"]
    assert len(runs_us) == 3

    (gemm,) = operators(profile, started_ns=begun_ns)
    assert (gemm.kind, gemm.runs_on, gemm.calls) == ("Gemm", "CPUExecutionProvider", 3)
    since_ns = begun_ns + runs_us[1] * 1_000
    (later,) = operators(profile, started_ns=begun_ns, since_ns=since_ns)
    assert later.calls == 2


def test_a_session_outside_of_the_block_writes_nothing(
    make_model: MakeModel, tmp_path: Path
) -> None:
    executor = OnnxExecutor(make_model(linear("batch")), OnnxRuntime())
    executor.run({"x": np.zeros((4, 3), np.float32)})
    assert not list(tmp_path.glob("*.json"))


def test_no_profile_of_onnxruntime(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(ValueError, match="is no profile of onnxruntime"):
        operators(tmp_path / "p.json")


def test_lanes_have_their_own_times() -> None:
    events = events_of(3)
    lanes = LaneTimes(("top", "default"))
    offset = np.arange(3)
    none = np.zeros(3, np.bool_)
    arrival_ns = int(events.admitted_ns[0])
    decided = Decided(events, arrival_ns + 2 * MS, arrival_ns + 5 * MS, arrival_ns + 6 * MS, "out")
    lane = np.array([1, 0, 1])
    settled = Settled(0, offset, Outcome.ON_TIME, lane=lane, decided=decided)
    lanes.ended(SOURCE, offset, settled, none, arrival_ns + 9 * MS)
    unknown = Settled(0, offset, Outcome.SHED, lane=-1)
    lanes.ended(SOURCE, offset, unknown, none, 0)
    found = lanes.ways()
    assert {name: (way.events, way.decided) for name, way in found.items()} == {
        "top": (1, 1), "default": (2, 2), "unknown": (3, 0),
    }  # fmt: skip
    assert found["top"].mean_ms["infer"] == 3
    assert found["default"].mean_ms["emit"] == 4
    assert found["default"].mean_ms["queue"] == 2


def test_stacks_are_a_table_and_a_tree(tmp_path: Path) -> None:
    (tmp_path / "stacks.txt").write_text(STACKS)
    stacks = read_stacks(tmp_path / "stacks.txt")
    first, second, _ = functions(stacks, limit=9)
    assert (first.name, first.own, first.total) == ("decode (c.py:3)", 0.6, 0.6)
    assert (second.name, second.own, second.total) == ("run (b.py:2)", 0.3, 0.9)
    root = flame(stacks)
    assert root.samples == 100
    assert root.calls["main (a.py:1)"].calls["run (b.py:2)"].samples == 90

    picture = flame_graph(root)
    boxes = {box.title.partition(":")[0]: box for box in picture.boxes}
    assert boxes["all"].width == WIDTH
    assert boxes["decode (c.py"].width == 0.6 * WIDTH
    assert boxes["decode (c.py"].y == 0  # the innermost is on top
    assert boxes["all"].y == max(box.y for box in picture.boxes)
    assert "60 samples, 60.0%" in boxes["decode (c.py"].title


def test_what_is_no_stack_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stacks.txt").write_text("hello\n")
    with pytest.raises(ValueError, match="no collapsed stack"):
        read_stacks(tmp_path / "stacks.txt")
