"""A rollout in a running service: started, taken back and tried anew by reloads; and a shadow that dies."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamproc.core import Columns, Duration, Outcome
from streamproc.engine import BASE_ARM
from streamproc.executors import (
    Arm,
    Canary,
    IsolatedExecutor,
    Isolation,
    Model,
    PythonModel,
    Repository,
    Rollback,
    Rollout,
    Shadow,
)
from streamproc.runtime.status import Status
from streamproc.scheduling import Batching
from streamproc.slo import Measures
from tests.runtime.test_reload import World, write

pytestmark = pytest.mark.usefixtures("short_polls")


@pytest.fixture
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


class Trial(World):
    """A world with fifty keys."""

    def produce(self, count: int = 100) -> None:
        for _ in range(count):
            self.broker.produce(
                "ticks", {"x": 1.0}, partition=self.sent % 2, key=str(self.sent % 50)
            )
            self.sent += 1

    @property
    def books(self) -> Any:
        accounts = self.service.accounts()
        assert accounts is not None
        return accounts.rollout

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.produce(20)
                await self.until_decided()
                await asyncio.sleep(0.005)

    def by_variant(self, since: int = 0) -> set[str]:
        records = self.broker.records("decisions")
        values = [json.loads(record.value or b"") for record in records]
        return {v["model"]["variant"] for v in values if int(v["id"].split("/")[2]) >= since}


def canary(path: Path, **changes: Any) -> Rollout:
    rollback = Rollback(min_events=20, within=Duration.parse("5s"))
    options = {"share": 0.5, "isolation": False, "rollback": rollback} | changes
    return Rollout(canary=Canary(path=str(path), **options))


async def test_a_canary_that_a_reload_begins_is_taken_back_and_stays_so_until_its_own_settings_change(
    tmp_path: Path,
) -> None:
    model, bad = tmp_path / "model.onnx", tmp_path / "bad.onnx"
    write(model, 2)
    write(bad, 3)
    async with Trial(Model(str(model))).running() as world:
        assert world.books.view() is None
        config = replace(world.config, rollout=canary(bad))
        await world.service.reload(config)
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {("canary", "disagreement"): 1}

        await world.service.reload(config)
        await world.service.reload(replace(config, shed=()))
        assert world.books.shares == {BASE_ARM: 1.0, "canary": 0.0}
        begun = world.sent
        world.produce()
        await world.until_decided()
        assert world.by_variant(begun // 2 + 1) == {"full"}

        status = Status(world.service, budget_ns=1, clock=world.service._parts.clock).show()
        assert "decisions are other ones" in status["rollout"]["rolled_back"]["canary"]  # type: ignore[index]

        write(bad, 2)  # it is put right: another file is another canary
        await world.service.reload(config)
        await world.until(lambda: world.books.of("canary").compared > 100)
        assert world.books.shares == {BASE_ARM: 0.5, "canary": 0.5}
        assert sum(world.books.rollbacks.values()) == 1

        await world.service.reload(replace(config, rollout=None))
        assert world.books.shares == {}
        world.produce()
        await world.until_decided()


async def test_a_burning_budget_takes_it_back_once(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    write(model, 2)
    config: dict[str, Any] = {"rollout": canary(model)}
    async with Trial(Model(str(model)), **config).running() as world:
        world.service.brake(Measures(because=("in-time",), roll_back=True))
        await world.until(lambda: world.books.rollbacks)
        assert world.books.said == {"canary": "the budget of in-time burns"}
        world.service.brake(Measures())
        await world.until(lambda: world.books.outcomes[BASE_ARM, Outcome.ON_TIME] > 100)
        assert world.books.rollbacks == {("canary", "slo"): 1}


async def test_models_in_processes_that_die_harm_nothing(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    write(model, 2)
    dying = PythonModel(f"{__name__}:{always_dying.__name__}")
    quick = Isolation(spare=False)
    rollout = Rollout(
        arms=(Arm(name="b", executor=dying, isolation=quick, share=0.3),),
        shadow=Shadow(executor=dying, isolation=quick, share=1.0),
    )
    config: dict[str, Any] = {"rollout": rollout}
    async with Trial(Model(str(model)), **config).running() as world:
        assert [type(executor) for executor in world.service._executors][1:] == [
            IsolatedExecutor,
            IsolatedExecutor,
        ]
        await world.until(lambda: world.books.failed["b"] and world.books.of("shadow").failed)
        assert world.by_variant() == {"full"}
    assert not world.broker.records("p.dlq")


def always_dying(_: Columns) -> Columns:
    os._exit(3)


async def test_a_reload_takes_a_new_version_of_a_repository(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / "times" / version).mkdir(parents=True)
    write(tmp_path / "times" / "1" / "model.onnx", 1)
    before = write(tmp_path / "times" / "2" / "model.onnx", 2)
    model = Model(repository=Repository(str(tmp_path), "times"))
    async with Trial(model).running() as world:
        assert [m.digest for m in world.service.models()] == [before]
        (tmp_path / "times" / "10").mkdir()
        after = write(tmp_path / "times" / "10" / "model.onnx", 3)
        told = await world.service.reload()
        assert told["models"] == [{"variant": "full", "digest": after}]


_released = threading.Event()


def hanging(inputs: Columns) -> Columns:
    """Does not come back before the test lets it."""
    _released.wait(60)
    return inputs


async def test_one_that_hangs_in_this_process_keeps_nobody_waiting(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    write(model, 2)
    _released.clear()
    canary_ = Canary(
        executor=PythonModel(f"{__name__}:{hanging.__name__}"),
        isolation=False,
        share=0.5,
        rollback=Rollback(stall=Duration.parse("300ms"), disagreement=None),
    )
    config: dict[str, Any] = {"rollout": Rollout(canary=canary_)}
    try:
        async with Trial(Model(str(model)), **config).running() as world:
            await world.until(lambda: world.books.rollbacks)
            assert world.books.rollbacks == {("canary", "stall"): 1}
            assert world.by_variant() == {"full"}
    finally:
        _released.set()


@pytest.mark.parametrize("by", ["reload", "brake"])
async def test_what_a_canary_left_is_decided_though_nothing_more_comes(
    by: str, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    write(model, 2)
    _released.set()
    python = PythonModel(f"{__name__}:{hanging.__name__}")
    rollback = Rollback(stall=None, disagreement=None)
    trial = Canary(executor=python, isolation=False, share=0.9, rollback=rollback)
    config: dict[str, Any] = {"rollout": Rollout(canary=trial)}
    try:
        async with Trial(Model(str(model)), **config).running() as world:
            _released.clear()
            world.produce(50)
            accounts = world.service.accounts()
            assert accounts is not None
            async with asyncio.timeout(60):
                while accounts.fetched < world.sent:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            if by == "reload":
                await world.service.reload(replace(world.config, rollout=None))
            else:
                world.service.brake(Measures(because=("in-time",), roll_back=True))
            await world.until_decided()
    finally:
        _released.set()


async def test_keys_that_change_their_arm_stay_in_order(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    write(model, 2)
    batching = Batching(max_size=4)
    async with Trial(Model(str(model)), batching=batching).running() as world:
        for share in (0.3, 0.8, 0.5, None):
            name = f"b{share}" if share else BASE_ARM
            arms = [Arm(name=name, path=str(model), share=share, isolation=False)] if share else []
            rollout = Rollout(arms=arms) if arms else None
            config = replace(world.config, rollout=rollout)
            reloading = asyncio.create_task(world.service.reload(config))
            while not reloading.done():
                world.produce(20)
                await asyncio.sleep(0.001)
            await reloading
            await world.until(lambda arm=name: world.books.outcomes[arm, Outcome.ON_TIME] > 50)
        assert world.by_variant() == {"full", "b0.3", "b0.8", "b0.5"}
    last: dict[tuple[str, int], int] = {}
    for record in world.broker.records("decisions"):
        told = json.loads(record.value or b"")
        _, partition, offset = told["id"].split("/")
        assert int(offset) > last.get((told["key"], int(partition)), -1)
        last[told["key"], int(partition)] = int(offset)


class Panic(BaseException):
    """What a Rust extension raises."""


def panicking(_: Columns) -> Columns:
    raise Panic


async def test_one_that_panics_in_this_process_ends_nothing(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    write(model, 2)
    python = PythonModel(f"{__name__}:{panicking.__name__}")
    rollout = Rollout(arms=(Arm(name="b", executor=python, isolation=False, share=0.5),))
    config: dict[str, Any] = {"rollout": rollout}
    async with Trial(Model(str(model)), **config).running() as world:
        await world.until(lambda: world.books.failed["b"] > 100)
        assert world.by_variant() == {"full"}
