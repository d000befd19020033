"""When a worker is started again, when not, and what becomes of its books."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from streamproc.core import ConfigError, ExternalError, VirtualClock
from streamproc.runtime.workers import supervised
from streamproc.runtime.workers.messages import Job
from streamproc.runtime.workers.supervised import SupervisedWorker
from streamproc.telemetry import Accounts
from tests.engine.pipelines import pipeline
from tests.runtime.workers.lives import FakeLives, books, until

S = 1_000_000_000


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits: how long it would be is asserted."""

    async def at_once(event: asyncio.Event, seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(supervised, "_set_or_after", at_once)


class World:
    def __init__(self) -> None:
        self.lives = FakeLives()
        self.clock = VirtualClock()
        self.worker = SupervisedWorker(
            Job(pipeline(), 1, 30),
            start=self.lives.start,
            books=books,
            clock=self.clock,
            redact=lambda text: text.replace("hunter2", "***"),
        )
        self.worker.forgiven = True

    def counted(self) -> Accounts:
        accounts = books()
        self.worker.add_to(accounts)
        return accounts


@contextlib.asynccontextmanager
async def living(*, forgiven: bool = True) -> AsyncIterator[tuple[World, asyncio.Task[None]]]:
    world = World()
    world.worker.forgiven = forgiven
    life = asyncio.create_task(world.worker.run())
    try:
        yield world, life
    finally:
        world.worker.stop()
        await asyncio.gather(life, return_exceptions=True)


async def test_it_joins_when_it_is_warm_and_again_in_its_next_life() -> None:
    async with living() as (world, _):
        first = await world.lives.number(0)
        world.worker.join()
        assert first.orders == []
        first.warm()
        await until(lambda: first.orders == ["join"])
        assert world.worker.state == "starting"
        first.tell_of(ready=True)
        await until(lambda: world.worker.state == "ready")
        first.end("ended")
        second = await world.lives.number(1)
        assert world.worker.readiness == {"start": False}
        second.warm()
        await until(lambda: second.orders == ["join"])
        assert world.worker.restarts == 1


async def test_the_books_of_a_dead_process_stay_and_add_up() -> None:
    async with living() as (world, _):
        first = await world.lives.number(0)
        first.tell_of(books(fetched=10, on_time=4, late=1), cpu_ns=7)
        first.end("(pid 100) was killed by SIGKILL")
        second = await world.lives.number(1)
        assert (world.counted().consumed, world.counted().handed_back) == (5, 5)
        second.tell_of(books(fetched=6, on_time=6), cpu_ns=2)
        await until(lambda: world.worker.snapshot is not None)
        counted = world.counted()
        assert (counted.fetched, counted.consumed, counted.in_flight) == (16, 11, 0)
        counted.check()
        assert world.worker.cpu_ns == 9


async def test_a_snapshot_takes_the_place_of_the_one_before() -> None:
    async with living() as (world, _):
        life = await world.lives.number(0)
        life.tell_of(books(fetched=3, on_time=3))
        life.tell_of(books(fetched=5, on_time=4))
        await until(lambda: world.counted().fetched == 5)
        assert world.counted().consumed == 4


async def test_waits_grow_to_five_seconds_and_begin_again_when_it_was_steady(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with living() as (world, _):
        for number in range(8):
            life = await world.lives.number(number)
            if number == 7:  # ready for half a minute
                life.tell_of()
                await until(lambda: world.worker.state == "ready")
                world.clock.advance(30 * S)
            life.end("(pid 1) was killed by SIGSEGV")
        await world.lives.number(8)
    waits = [r.getMessage().rpartition(" in ")[2] for r in caplog.records]
    assert waits == ["0.1 s", "0.2 s", "0.4 s", "0.8 s", "1.6 s", "3.2 s", "5.0 s", "0.1 s"]
    assert caplog.records[0].getMessage().startswith("worker 1 (pid 1) was killed by SIGSEGV; ")


async def test_the_first_death_is_the_end_before_all_were_ready() -> None:
    async with living(forgiven=False) as (world, life):
        (await world.lives.number(0)).fail(ExternalError("no broker", retriable=True))
        with pytest.raises(ExternalError, match=r"^no broker$"):
            await life
    async with living(forgiven=False) as (world, life):
        (await world.lives.number(0)).end("(pid 100) was killed by SIGKILL")
        with pytest.raises(
            ExternalError, match=r"^worker 1 \(pid 100\) was killed by SIGKILL before"
        ):
            await life


async def test_what_waiting_does_not_help_is_the_end_after_five_times() -> None:
    async with living() as (world, life):
        for number in range(5):
            (await world.lives.number(number)).fail(ConfigError("model.path: broken"))
        with pytest.raises(ConfigError, match="broken"):
            await life
        assert len(world.lives.all) == 5


async def test_what_may_pass_is_tried_for_ever_and_told_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with living() as (world, life):
        for number in range(12):
            error = ExternalError("no broker for hunter2", retriable=True)
            (await world.lives.number(number)).fail(error)
        await world.lives.number(12)
        assert not life.done()
    assert "no broker for ***; started again" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_machine_without_room_is_tried_again() -> None:
    async with living() as (world, _):
        first = await world.lives.number(0)
        world.lives.room = False
        first.end("ended")
        await until(lambda: world.worker.state == "down")
        world.lives.room = True
        await world.lives.number(1)


async def test_a_silent_one_is_killed_but_not_before_its_first_word() -> None:
    async with living() as (world, _):
        first = await world.lives.number(0)
        for _ in range(9):
            world.worker.look(3)
        first.tell_of()
        await until(lambda: world.worker.snapshot is not None)
        world.worker.look(3)
        world.worker.look(3)
        assert world.worker.state == "ready"
        first.tell_of(books(fetched=1))
        await until(lambda: world.counted().fetched == 1)
        for _ in range(3):  # heard of meanwhile: counted anew
            world.worker.look(3)
        second = await world.lives.number(1)
        assert second.orders == []


async def test_told_to_stop_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with living() as (world, life):
        first = await world.lives.number(0)
        first.tell_of(books(fetched=2, on_time=2))
        await until(lambda: world.counted().consumed == 2)
        world.worker.stop()
        await life
        assert first.orders == ["stop"]
        assert world.counted().consumed == 2
        assert world.worker.state == "down"
        assert len(world.lives.all) == 1
    assert caplog.text == ""


async def test_a_death_while_it_finishes_is_said() -> None:
    async with living() as (world, life):
        first = await world.lives.number(0)
        first.stubborn = True
        first.tell_of(books(fetched=2, on_time=1))
        await until(lambda: world.counted().fetched == 2)
        world.worker.stop()
        first.kill()
        await life
        assert world.counted().handed_back == 1
