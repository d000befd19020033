"""A service whose source gets stuck without an error: it is made anew, and where that does not help the service ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamproc.core import NS_PER_S, ExternalError, Recoverable, SystemClock
from streamproc.testing import MemorySource
from tests.engine.pipelines import within
from tests.runtime.test_service import World, until

if TYPE_CHECKING:
    from streamproc.core import RecordBatch

PATIENCE_NS = 60 * NS_PER_S


class JumpingClock(SystemClock):
    """The system's time, and what the test adds to it: a minute of nothing costs none."""

    def __init__(self) -> None:
        super().__init__()
        self._added_ns = 0

    @override
    def now_ns(self) -> int:
        return super().now_ns() + self._added_ns

    def lets_pass(self) -> bool:
        """Let more than the patience pass; false, to stand in a condition."""
        self._added_ns += PATIENCE_NS + 1
        return False


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)
    monkeypatch.setattr("streamproc.runtime.recovery.LOOK_EVERY_S", 0.001)


class Stuck(MemorySource):
    """Gives nothing once it is stuck, and raises nothing; may be made anew."""

    stuck = False
    mends = True
    rejoins = 0

    @override
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        if self.stuck:
            await asyncio.sleep(timeout_ns / NS_PER_S)
            return []
        return await super().poll(timeout_ns=timeout_ns, records_max=records_max)

    async def unread(self) -> int | None:
        return sum(self.lag().values())

    async def rejoin(self) -> None:
        self.rejoins += 1
        assert self._listener is not None
        listener, owned = self._listener, self.owned
        await self.revoke(owned)
        self.stuck = not self.mends
        self._listener = listener
        await self.assign(owned)


class StuckWorld(World):
    """A service that is watched, over a source that can get stuck."""

    def __init__(self) -> None:
        self.jumping = JumpingClock()
        super().__init__(kind=Stuck, ends=False, clock=self.jumping, deadline=within("100000s"))
        parts: Any = self.service._parts
        self.service._parts = replace(parts, progress_timeout_ns=PATIENCE_NS)
        assert isinstance(self.source, Recoverable)


async def test_a_stuck_source_is_made_anew_and_nothing_is_lost() -> None:
    world = StuckWorld()
    running = world.start()
    world.produce(10)
    await until(lambda: world.decided == 10)
    world.source.stuck = True
    world.produce(10)
    await until(lambda: world.source.rejoins == 1 or world.jumping.lets_pass())
    await until(lambda: world.decided == 20)
    world.service.stop()
    assert (await running)["consumed"] == 20
    assert sum(world.committed.values()) == 20


async def test_where_that_does_not_help_it_ends_for_a_supervisor() -> None:
    world = StuckWorld()
    world.source.mends = False
    running = world.start()
    world.produce(10)
    await until(lambda: world.decided == 10)
    world.source.stuck = True
    world.produce(5)
    await until(lambda: running.done() or world.jumping.lets_pass())
    with pytest.raises(ExternalError, match="5 wait to be read") as caught:
        await running
    assert caught.value.retriable
    assert world.source.rejoins == 1


@pytest.mark.parametrize("unread", [0, None], ids=["nothing to read", "nobody answers"])
async def test_it_is_patient_with_quiet_and_with_outages(unread: int | None) -> None:
    world = StuckWorld()
    asked = 0

    async def answer() -> int | None:
        nonlocal asked
        asked += 1
        return unread

    world.source.unread = answer
    running = world.start()
    await until(lambda: asked > 3 or world.jumping.lets_pass())
    assert world.source.rejoins == 0
    world.service.stop()
    await running


async def test_a_pause_that_somebody_wants_is_no_fault() -> None:
    world = StuckWorld()
    asked = 0

    async def unread() -> int | None:
        nonlocal asked
        asked += 1
        return 5

    world.source.unread = unread
    world.service.pause()
    running = world.start()
    world.produce(5)
    looks = 0

    def looked_at_often() -> bool:
        nonlocal looks
        looks += 1
        world.jumping.lets_pass()
        return looks > 50

    await until(looked_at_often)
    assert asked == 0
    world.service.resume()
    await until(lambda: world.decided == 5)
    world.service.stop()
    await running


async def test_records_that_are_read_again_for_the_features_are_progress() -> None:
    world = StuckWorld()
    running = world.start()
    world.produce(5)
    await until(lambda: world.decided == 5)
    world.source.stuck = True
    world.produce(5)
    accounts = world.service.accounts()
    assert accounts is not None

    def restored_much() -> bool:
        accounts.restored += 1
        world.jumping.lets_pass()
        return accounts.restored > 50

    await until(restored_much)
    assert world.source.rejoins == 0
    world.service.stop()
    await running
