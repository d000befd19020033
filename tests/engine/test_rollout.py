"""Models that are tried beside the one that decides: whose events they get, what of them is published, and when one is taken back."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Columns, Duration, Outcome
from streamproc.engine import BASE_ARM, Verdict
from streamproc.executors import Arm, Canary, Rollback, Rollout, Shadow
from streamproc.scheduling import Lane
from streamproc.testing import (
    FakeExecutor,
    PipelineTest,
    TestResult,
    assert_accounts,
    assert_no_on_time_after_deadline,
    assert_order,
)
from tests.engine.pipelines import MS, pipeline

KEYS = 200
S = 1_000 * MS


def fake(name: str, function: Any = None, **options: Any) -> FakeExecutor:
    """Adds nothing to what it is given; costs 1 ms a batch."""
    return FakeExecutor(function or (lambda x: x["input"]), variant=name, **options)


def wrong(inputs: Columns) -> Any:
    return inputs["input"] + 1.0


def raising(_: Columns) -> Any:
    msg = "no"
    raise RuntimeError(msg)


def nowhere(inputs: Columns) -> Any:
    return np.full_like(inputs["input"], np.nan)


def canary(share: float = 0.5, **limits: Any) -> Canary:
    steps = {name: limits.pop(name) for name in ("steps", "step_every") if name in limits}
    return Canary(
        path="c.onnx", share=share, rollback=Rollback(**({"min_events": 50} | limits)), **steps
    )


def made(rollout: Rollout, *executor: FakeExecutor, **changes: Any) -> PipelineTest:
    return PipelineTest(pipeline(rollout=rollout, **changes), executor=list(executor))


def send(
    test: PipelineTest, count: int, *, every_ns: int = 2 * MS, keys: int = KEYS, start_ns: int = 0
) -> None:
    start_ns = start_ns or test.now_ns
    for n in range(count):
        test.send("ticks", {"x": n}, key=f"k{n % keys}", at_ns=start_ns + n * every_ns)


def arms_of(result: TestResult) -> Mapping[str, set[str]]:
    """By key, the models that decided about it."""
    found = defaultdict(set)
    for decision in result.decisions:
        found[str(decision.key)].add(decision.model["variant"])
    return found


def assert_whole(result: TestResult, count: int) -> None:
    """All have one outcome, in time where they say so, and each key's are in order."""
    assert_accounts(result.summary)
    assert result.summary["consumed"] == count
    assert_no_on_time_after_deadline(
        result.decisions, result.acknowledged_ns, acked_late=result.accounts.acked_late
    )
    last: dict[str, int] = {}
    for decision in result.decisions:
        offset = int(decision.id.rsplit("/", 1)[1])
        assert offset > last.get(str(decision.key), -1)
        last[str(decision.key)] = offset


def outcomes_of(result: TestResult, arm: str) -> int:
    return sum(n for (name, _), n in result.accounts.rollout.outcomes.items() if name == arm)


class TestArms:
    def test_a_share_of_the_keys_is_decided_by_each_and_the_decision_names_it(self) -> None:
        arms = (Arm(name="b", path="b.onnx", share=0.2), Arm(name="c", path="c.onnx", share=0.3))
        test = made(Rollout(arms=arms), fake("full"), fake("b"), fake("c"))
        send(test, 2_000, keys=1_000)
        result = test.run()
        assert_whole(result, 2_000)
        by_key = arms_of(result)
        assert all(len(models) == 1 for models in by_key.values())
        counts = Counter(model for models in by_key.values() for model in models)
        assert abs(counts["b"] - 200) < 60
        assert abs(counts["c"] - 300) < 60
        assert outcomes_of(result, "b") == 2 * counts["b"]
        assert outcomes_of(result, BASE_ARM) == 2 * counts["full"]
        assert result.summary["outcomes"]["degraded"] == 0

    def test_another_salt_is_another_choice(self) -> None:
        chosen = []
        for salt in ("", "2"):
            arms = (Arm(name="b", path="b.onnx", share=0.5),)
            test = made(Rollout(arms=arms, salt=salt), fake("full"), fake("b"))
            send(test, KEYS)
            chosen.append({key for key, models in arms_of(test.run()).items() if "b" in models})
        assert chosen[0] != chosen[1]
        assert abs(len(chosen[0] & chosen[1]) - KEYS / 4) < KEYS / 8

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.integers(1, 20), min_size=1, max_size=10), st.integers(1, 3))
    def test_a_key_has_the_same_arm_whatever_the_batches(
        self, batches: list[int], partitions: int
    ) -> None:
        arms = (Arm(name="b", path="b.onnx", share=0.5),)
        found = {}
        for together in (True, False):
            test = PipelineTest(
                pipeline(rollout=Rollout(arms=arms)),
                executor=[fake("full"), fake("b")],
                partitions=partitions,
            )
            at_ns, number = test.now_ns, 0
            for size in batches:
                for _ in range(size):
                    at_ns += 0 if together else 3 * MS
                    test.send("ticks", {"x": 1}, key=f"k{number % 7}", at_ns=at_ns)
                    number += 1
                at_ns += 10 * MS
            result = test.run()
            assert_whole(result, sum(batches)) if partitions == 1 else None
            found[together] = arms_of(result)
        assert found[True] == found[False]
        assert all(len(models) == 1 for models in found[True].values())

    def test_a_slow_one_delays_no_other(self) -> None:
        arms = (Arm(name="b", path="b.onnx", share=0.5),)
        slow = fake("b", fixed_ns=70 * MS)
        test = made(Rollout(arms=arms), fake("full"), slow)
        send(test, 1_000)
        result = test.run()
        assert_whole(result, 1_000)
        others = {d.outcome for d in result.decisions if d.model["variant"] == "full"}
        assert others == {"on_time"}
        assert result.accounts.rollout.outcomes["b", Outcome.SHED] > 100
        assert result.accounts.rollout.outcomes[BASE_ARM, Outcome.SHED] == 0

    @pytest.mark.parametrize("function", [raising, nowhere])
    def test_where_it_fails_the_model_itself_decides(self, function: Any) -> None:
        arms = (Arm(name="b", path="b.onnx", share=0.5),)
        test = made(Rollout(arms=arms), fake("full"), fake("b", function))
        send(test, 400)
        result = test.run()
        assert_whole(result, 400)
        assert {d.model["variant"] for d in result.decisions} == {"full"}
        assert len(result.decisions) == 400
        assert result.accounts.rollout.failed["b"] == outcomes_of(result, "b") > 100


class TestCanary:
    def test_a_good_one_stays(self) -> None:
        test = made(Rollout(canary=canary()), fake("full"), fake("canary"), fake("reference"))
        send(test, 2_000)
        result = test.run()
        assert_whole(result, 2_000)
        books = result.accounts.rollout
        assert not books.rollbacks
        assert books.of("canary").compared > 800
        assert books.of("canary").differed == 0
        assert books.shares == {BASE_ARM: 0.5, "canary": 0.5}

    @pytest.mark.parametrize(
        ("function", "reason"),
        [(wrong, "disagreement"), (raising, "failures"), (nowhere, "failures")],
    )
    def test_a_bad_one_is_taken_back(self, function: Any, reason: str) -> None:
        test = made(
            Rollout(canary=canary()), fake("full"), fake("canary", function), fake("reference")
        )
        send(test, 2_000)
        result = test.run()
        assert_whole(result, 2_000)
        books = result.accounts.rollout
        assert books.rollbacks == {("canary", reason): 1}
        assert books.shares == {BASE_ARM: 1.0, "canary": 0.0}
        by_canary = [d for d in result.decisions if d.model["variant"] == "canary"]
        assert len(by_canary) < 200
        start_ns = result.decisions[0].decided_ns
        assert all(d.decided_ns - start_ns < S for d in by_canary)

    def test_a_slow_one_is_taken_back_for_what_it_misses(self) -> None:
        slow = fake("canary", fixed_ns=150 * MS)
        test = made(Rollout(canary=canary()), fake("full"), slow, fake("reference"))
        send(test, 2_000)
        result = test.run()
        assert_whole(result, 2_000)
        assert result.accounts.rollout.rollbacks == {("canary", "misses"): 1}

    def test_one_that_hangs_is_taken_back_and_its_events_are_decided(self) -> None:
        test = made(
            Rollout(canary=canary(stall=Duration.parse("50ms"), misses=None)),
            fake("full"),
            fake("canary", fixed_ns=3_600 * S),
            fake("reference"),
            shed=(),
        )
        send(test, 500)
        result = test.run(until_ns=test.now_ns + 5 * S)
        assert_whole(result, 500)
        assert result.accounts.rollout.rollbacks == {("canary", "stall"): 1}
        assert {d.model["variant"] for d in result.decisions} == {"full"}
        assert len(result.decisions) == 500

    def test_it_is_taken_back_within_the_time_that_its_limits_need(self) -> None:
        """Good for 20 s, then bad: the share of the last 10 s is above a tenth within 2 s."""
        turn = 2_000

        def turning(inputs: Columns) -> Any:
            x = inputs["input"]
            return np.where(x < turn, x, -x)

        rollout = Rollout(canary=canary(disagreement=0.1))
        test = made(rollout, fake("full"), fake("canary", turning), fake("reference"))
        send(test, 2_400, every_ns=10 * MS)
        result = test.run()
        assert_whole(result, 2_400)
        bad = [d for d in result.decisions if d.output[0] != float(d.id.rsplit("/", 1)[1])]
        took_ns = max(d.decided_ns for d in bad) - min(d.decided_ns for d in bad)
        assert 0.5 * S < took_ns < 2 * S

    def test_few_events_prove_nothing(self) -> None:
        test = made(
            Rollout(canary=canary(min_events=1_000)),
            fake("full"), fake("canary", wrong), fake("reference"),
        )  # fmt: skip
        send(test, 1_000)
        assert not test.run().accounts.rollout.rollbacks

    def test_it_climbs_its_steps_and_its_keys_stay(self) -> None:
        rollout = Rollout(canary=canary(0.1, steps=(0.5, 1.0), step_every=Duration.parse("1s")))
        test = made(rollout, fake("full"), fake("canary"), fake("reference"))
        send(test, 2_000)
        result = test.run()
        assert_whole(result, 2_000)
        first = min(d.decided_ns for d in result.decisions)
        at = [[], [], [], []]  # type: list[list[Any]]
        for decision in result.decisions:
            at[min((decision.decided_ns - first) // S, 3)].append(decision)
        shares = [sum(d.model["variant"] == "canary" for d in some) / len(some) for some in at]
        assert shares[0] == pytest.approx(0.1, abs=0.08)
        assert shares[1] == pytest.approx(0.5, abs=0.12)
        assert shares[3] == 1.0
        for some, later in pairwise(at):
            mine = {d.key for d in some if d.model["variant"] == "canary"}
            gone = {d.key for d in later if d.model["variant"] != "canary"}
            # At the change itself an event or two are decided as before.
            assert len(mine & gone) <= 2

    def test_a_burning_budget_takes_it_back(self) -> None:
        test = made(Rollout(canary=canary()), fake("full"), fake("canary"), fake("reference"))
        send(test, 1_000)
        engine = test._engine
        test.call(
            lambda: engine.roll_back(Verdict("slo", "the budget of x burns")), at_ns=test.now_ns + S
        )
        result = test.run()
        assert_whole(result, 1_000)
        assert result.accounts.rollout.rollbacks == {("canary", "slo"): 1}
        assert result.accounts.rollout.said == {"canary": "the budget of x burns"}


class TestShadow:
    @pytest.mark.parametrize(
        ("function", "differed"), [(None, False), (wrong, True), (raising, None), (nowhere, True)]
    )
    def test_nothing_of_it_is_published(self, function: Any, differed: bool | None) -> None:
        alone, beside = (
            PipelineTest(
                pipeline(rollout=rollout),
                executor=[fake("full"), *([fake("shadow", function)] if rollout else [])],
            )
            for rollout in (None, Rollout(shadow=Shadow(path="s.onnx", share=0.5)))
        )
        for test in (alone, beside):
            send(test, 400, every_ns=5 * MS)
        expected, result = alone.run(), beside.run()
        assert [d.record for d in result.decisions] == [d.record for d in expected.decisions]
        one = result.accounts.rollout.of("shadow")
        assert one.compared + one.failed + one.dropped == pytest.approx(200, abs=60)
        assert one.dropped == 0
        if differed is None:
            assert one.failed > 100
        else:
            assert one.failed == 0
            assert one.differed == one.compared * differed

    def test_it_runs_only_where_the_model_itself_has_nothing_to_do(self) -> None:
        full = fake("full", fixed_ns=4 * MS)
        busy: list[bool] = []
        shadow = fake("shadow", lambda x: busy.append(bool(test._engine._turns)) or x["input"])
        test = made(Rollout(shadow=Shadow(path="s.onnx", share=1.0)), full, shadow)
        send(test, 1_000, every_ns=3 * MS)
        test.run()
        assert len(busy) > 20
        assert not any(busy)

    def test_what_it_has_no_time_for_is_dropped_and_counted(self) -> None:
        test = made(
            Rollout(shadow=Shadow(path="s.onnx", share=1.0, max_queue=16)),
            fake("full"),
            fake("shadow", fixed_ns=500 * MS),
        )
        send(test, 1_000)
        result = test.run()
        assert_whole(result, 1_000)
        one = result.accounts.rollout.of("shadow")
        assert one.compared + one.dropped == 1_000
        assert one.dropped > 900


CANDIDATES = st.sampled_from([None, wrong, raising, nowhere])


class TestWhateverHappens:
    @settings(max_examples=25, deadline=None)
    @given(
        st.data(),
        st.sampled_from(["at_least_once", "exactly_once"]),
        st.sampled_from([(), (Lane("top", "x >= 50"),)]),
        st.sampled_from(["key", "none"]),
        CANDIDATES,
        st.sampled_from([0, 30, 400]),
    )
    def test_each_event_ends_once_and_each_key_in_order(
        self, data: st.DataObject, delivery: Any, lanes: Any, ordering: Any, bad: Any, slow_ms: int
    ) -> None:
        """Canaries that are good, bad, slow or hang; partitions that go and come back; a burning budget."""
        limits = {
            "min_events": 5,
            "stall": Duration.parse("200ms"),
            "step_every": Duration.parse("100ms"),
        }
        rollout = Rollout(
            canary=canary(0.4, steps=(0.6,), **limits),
            arms=(Arm(name="b", path="b.onnx", share=0.2),),
            shadow=Shadow(path="s.onnx", share=0.5, max_queue=8),
        )
        test = PipelineTest(
            pipeline(rollout=rollout, delivery=delivery, lanes=lanes, ordering=ordering),
            executor=[
                fake("full"), fake("b"), fake("canary", bad, fixed_ns=(1 + slow_ms) * MS),
                fake("reference"), fake("shadow", bad),
            ],
            partitions=2,
        )  # fmt: skip
        start_ns, count = test.now_ns, 0
        for burst in data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=12)):
            for _ in range(burst):
                test.send(
                    "ticks",
                    {"x": count % 100},
                    key=f"k{count % 13}",
                    partition=count % 13 % 2,
                    at_ns=start_ns,
                )
                count += 1
            start_ns += data.draw(st.integers(0, 40)) * MS
        revoked = data.draw(st.lists(st.integers(0, 200), max_size=2))
        at_ns = test.now_ns
        for after_ms in revoked:
            at_ns += after_ms * MS
            test.revoke(("ticks", 0), at_ns=at_ns)
            at_ns += 5 * MS
            test.assign(("ticks", 0), at_ns=at_ns)
        if data.draw(st.booleans()):
            test.call(lambda: test._engine.roll_back(Verdict("slo", "x")), at_ns=start_ns)
        result = test.run()
        assert_accounts(result.summary)
        assert result.in_flight == 0
        final = {
            event: [f.outcome for f in ends if f.outcome != "handed_back"]
            for event, ends in result.final.items()
        }
        assert len(final) == count
        # What was decided and not stored when a partition went is decided again.
        once = delivery == "exactly_once" or not revoked
        assert all(len(outcomes) == 1 or (outcomes and not once) for outcomes in final.values())
        assert_no_on_time_after_deadline(
            result.decisions, result.acknowledged_ns, acked_late=result.accounts.acked_late
        )
        if ordering == "key":
            assert_order(result.decisions, "key", repeats=not once)
