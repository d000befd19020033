"""A live run, done again from its schedule log: every outcome is the live one."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typing_extensions import override

from streamproc.core import (
    ConfigError,
    Int64Array,
    ModelError,
    Outcome,
    Reason,
    RecordBatch,
    SystemClock,
    TopicPartition,
)
from streamproc.engine import Entry, ScheduleLog
from streamproc.executors import (
    Arm,
    Canary,
    Cascade,
    Model,
    ModelVariant,
    Rollback,
    Rollout,
    Shadow,
    Simulated,
)
from streamproc.replay.playback import Replayed, replay_recorded
from streamproc.runtime import Assembly, Pipeline, Service, TakenBackEntry, identity_of
from streamproc.scheduling import Batching
from streamproc.telemetry import Verdict
from streamproc.testing import FakeExecutor, MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within


class Ends:
    """What became of every event, and when."""

    def __init__(self) -> None:
        self.found: dict[tuple[TopicPartition, int], tuple[Outcome, str, int]] = {}
        self.any = asyncio.Event()

    def attach(self, assembly: Assembly, now_ns: Callable[[], int]) -> None:
        assembly.settlement.witness = self._witness

    def _witness(
        self, source: TopicPartition, offset: Int64Array, row: Int64Array | None,
        outcome: Outcome, reason: str, final_ns: int,
    ) -> None:  # fmt: skip
        for number in offset.tolist():
            assert (source, number) not in self.found
            self.found[source, number] = (outcome, reason, final_ns)
        self.any.set()

    def counts(self) -> Counter[tuple[Outcome, str]]:
        return Counter((outcome, reason) for outcome, reason, _ in self.found.values())


class Kept(MemorySource):
    """Keeps what it gave, and lets the records come in bursts."""

    given: list[RecordBatch]

    @override
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        found = await super().poll(timeout_ns=timeout_ns, records_max=min(records_max, 100))
        self.given += found
        return found


class Live:
    """A live run over the broker in memory."""

    def __init__(
        self,
        config: Pipeline,
        executor: FakeExecutor | Sequence[FakeExecutor],
        values: Iterable[Any],
    ) -> None:
        clock = SystemClock()
        broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=clock)
        for number, value in enumerate(values):
            broker.produce("ticks", value, partition=number % 2, key=f"k{number % 7}")
        self.source = Kept(broker, ["ticks"], group="p", ends=True)
        self.source.given = []
        self.entries: list[bytes] = []
        self.ends = Ends()
        self.sink = MemorySink(broker, delay_ns=2_000_000)
        self.broker = broker
        self._service = Service(
            config,
            replace(
                config.parts(source=self.source, sink=self.sink, executor=executor, clock=clock),
                schedule=ScheduleLog(lambda data, _: self.entries.append(data)),
            ),
            before_join=self._attach,
        )

    @property
    def verdicts(self) -> dict[tuple[int, Verdict], int]:
        accounts = self._service.accounts()
        assert accounts is not None
        return accounts.verdicts

    async def _attach(self) -> None:
        assert self._service._assembly is not None
        self.ends.attach(self._service._assembly, lambda: 0)

    async def run(self, *, reload: Pipeline | None = None) -> None:
        """To its end; with a reload in the middle, as soon as something was decided."""
        async with asyncio.timeout(60):
            running = asyncio.create_task(self._service.run())
            if reload is not None:
                await self.ends.any.wait()
                await self._service.reload(reload)
            await running

    def again(
        self,
        config: Pipeline,
        executor: FakeExecutor | Sequence[FakeExecutor],
        *,
        entries: Sequence[bytes] | None = None,
    ) -> tuple[Replayed, Ends]:
        ends = Ends()
        found = replay_recorded(
            config,
            self.source.given,
            map(Entry.decode, self.entries if entries is None else entries),
            executors=[executor] if isinstance(executor, FakeExecutor) else executor,
            attach=ends.attach,
        )
        return found, ends


def spin(inputs: Any) -> Any:
    """A model that takes a millisecond or two of the machine's time: how long exactly, nobody knows."""
    for _ in range(60):
        np.sort(np.arange(20_000) % 977)
    return {"output": inputs["input"] * 2}


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


async def test_every_outcome_of_an_overloaded_run_comes_again() -> None:
    config = pipeline(deadline=within("150ms", from_="arrival"))
    live = Live(config, FakeExecutor(spin, inline=False), ({"x": n} for n in range(4_000)))
    await live.run()
    assert len(live.ends.counts()) > 1, "nothing was shed: that is no test"
    assert sum(live.ends.counts().values()) == 4_000

    again, ends = live.again(config, FakeExecutor(lambda x: x["input"] * 2))

    assert ends.found == live.ends.found
    assert again.accounts.consumed == 4_000


async def test_failures_and_dead_letters_come_again() -> None:
    config = pipeline(deadline=within("10s"))
    executor = FakeExecutor()
    values = [b"{" if n % 10 == 0 else {"x": n} for n in range(500)]
    live = Live(config, executor, values)
    # Behind the sweep, whose runs are many: the first runs of the live traffic fail.
    run, calls = executor.run, 0

    def failing(inputs: Any) -> Any:
        nonlocal calls
        calls += 1
        if len(live.source.given) and calls % 3 == 0:
            msg = "no"
            raise ValueError(msg)
        return run(inputs)

    executor.run = failing  # type: ignore[method-assign]
    await live.run()
    assert live.ends.counts()[Outcome.DEAD_LETTER, "model_failed"]
    assert live.ends.counts()[Outcome.DEAD_LETTER, "undecodable"] == 50

    _, ends = live.again(config, FakeExecutor())

    assert ends.found == live.ends.found


async def test_a_log_that_was_cut_is_done_again_as_far_as_it_goes() -> None:
    config = pipeline(deadline=within("10s"))
    live = Live(config, FakeExecutor(), ({"x": n} for n in range(3_000)))
    await live.run()
    assert len(live.entries) >= 2
    _, ends = live.again(config, FakeExecutor(), entries=live.entries[:-1])
    assert ends.found.items() <= live.ends.found.items()


async def test_it_ends_before_a_reload_and_says_so() -> None:
    config = pipeline(deadline=within("10s"))
    live = Live(config, FakeExecutor(), ({"x": n} for n in range(3_000)))
    await live.run(reload=replace(config, batching=Batching(policy="work_conserving")))
    assert len(live.ends.found) == 3_000
    again, ends = live.again(config, FakeExecutor())
    assert again.stopped == "the same model; batching"
    assert 0 < len(ends.found) < 3_000
    assert ends.found.items() <= live.ends.found.items()


async def test_another_configuration_is_said_not_played() -> None:
    config = pipeline(deadline=within("10s"))
    live = Live(config, FakeExecutor(), ({"x": n} for n in range(300)))
    await live.run()
    with pytest.raises(ConfigError, match=r"went another way.*configuration"):
        live.again(pipeline(batching=Batching(max_size=3), deadline=within("10s")), FakeExecutor())


def test_without_a_log_it_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"has no schedule log.*--clock virtual"):
        replay_recorded(pipeline(), [], [], executors=[FakeExecutor()])


VARIANTS = tuple(
    ModelVariant(name, quality=quality, executor=Simulated())
    for name, quality in (("full", 1.0), ("small", 0.9))
)


def doubtful(inputs: Any) -> Any:
    """Is sure of two events in three."""
    spin(inputs)
    return {"output": np.where(inputs["input"] % 3 == 0, 0.5, 0.99)}


def certain(inputs: Any) -> Any:
    return {"output": np.ones_like(inputs["input"])}


async def test_what_a_cascade_answered_comes_again() -> None:
    config = pipeline(
        model=Model(variants=VARIANTS, cascade=Cascade("margin < 0.5")),
        deadline=within("10s", from_="arrival"),
        batching=Batching(max_size=32),
    )

    def made() -> list[FakeExecutor]:
        return [
            FakeExecutor(certain, inline=False),
            FakeExecutor(doubtful, inline=False, variant="small"),
        ]

    live = Live(config, made(), ({"x": n} for n in range(3_000)))
    await live.run()
    assert live.ends.counts()[Outcome.ON_TIME, ""]
    assert live.verdicts[1, "sure"]
    assert sum(live.ends.counts().values()) == 3_000

    again, ends = live.again(config, made())

    assert ends.found == live.ends.found
    assert again.accounts.verdicts == live.verdicts


class Stalling(FakeExecutor):
    """Is stopped every third time, as one that takes too long; stands for onnxruntime in this process."""

    def run_by(
        self, inputs: Any, deadline_ns: int | None, until_ns: int | None = None
    ) -> dict[str, Any]:
        if until_ns is not None and len(self.sizes) % 3 == 0:
            self.sizes.append(0)
            raise ModelError(Reason.STOPPED, "no answer could be in time")
        return self.run(inputs)


async def test_what_was_stopped_comes_again() -> None:
    config = pipeline(model=Model(variants=VARIANTS), deadline=within("10s"))
    executors = [Stalling(inline=False), FakeExecutor(inline=False, variant="small")]
    live = Live(config, executors, ({"x": n} for n in range(500)))
    await live.run()
    assert live.ends.counts()[Outcome.DEGRADED, ""]
    _, ends = live.again(config, [FakeExecutor(), FakeExecutor(variant="small")])
    assert ends.found == live.ends.found

    # Without a variant to save them they are shed.
    config = pipeline(
        model=Model(executor=Simulated(), stop_late=True), deadline=within("10s"), ordering="none"
    )
    live = Live(config, Stalling(inline=False), ({"x": n} for n in range(500)))
    await live.run()
    assert live.ends.counts()[Outcome.SHED, "stopped"]
    _, ends = live.again(config, FakeExecutor())
    assert ends.found == live.ends.found


async def test_a_canary_is_taken_back_at_the_same_event_and_arms_are_the_same() -> None:
    config = pipeline(
        rollout=Rollout(
            arms=(Arm(name="b", path="b.onnx", share=0.2),),
            canary=Canary(path="c.onnx", share=0.6, rollback=Rollback(min_events=100)),
            shadow=Shadow(path="s.onnx", share=0.5),
        ),
        batching=Batching(max_size=16),
        deadline=within("60s"),
    )

    def executors() -> list[FakeExecutor]:
        names = ("full", "b", "canary", "reference", "shadow")
        return [
            FakeExecutor(lambda x, n=name: x["input"] + (n == "canary"), variant=name)
            for name in names
        ]

    live = Live(config, executors(), ({"x": n} for n in range(4_000)))
    await live.run()
    played, ends = live.again(config, executors())
    assert ends.found == live.ends.found
    mine, its = played.accounts.rollout, live._service.accounts()
    assert its is not None
    assert mine.outcomes == its.rollout.outcomes
    assert mine.rollbacks == its.rollout.rollbacks == {("canary", "disagreement"): 1}
    assert mine.comparisons["shadow"].compared == its.rollout.comparisons["shadow"].compared


async def test_a_canary_that_was_taken_back_before_is_so_again(tmp_path: Path) -> None:
    canary, digest = Canary(path="c.onnx", share=0.6), FakeExecutor().info.digest
    entry = TakenBackEntry(
        "canary", identity_of(canary, digest), "stall", "it stood still", "before"
    )
    state = tmp_path / "taken-back.json"
    state.write_bytes(msgspec.json.encode({"form": 1, "taken_back": [entry]}))
    config = pipeline(rollout=Rollout(canary=canary, state=str(state)), deadline=within("60s"))

    def executors() -> list[FakeExecutor]:
        return [FakeExecutor(variant=name) for name in ("full", "canary", "reference")]

    live = Live(config, executors(), ({"x": n} for n in range(500)))
    await live.run()
    state.unlink()  # a replay has its log
    played, ends = live.again(config, executors())
    assert ends.found == live.ends.found
    its = live._service.accounts()
    assert its is not None
    assert played.accounts.rollout.rollbacks == its.rollout.rollbacks == {("canary", "before"): 1}
    assert played.accounts.rollout.said == its.rollout.said
