"""``at_least_once``: no position is stored while any of the changelog that was sent before is not with the broker."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from streamproc.core import ExternalError, OutRecords, SendDone, SystemClock, TopicPartition
from streamproc.runtime.changelog_commits import ChangelogCommits
from streamproc.testing import MemoryBroker, MemorySink

if TYPE_CHECKING:
    from streamproc.engine import Changelog, Engine

T0 = TopicPartition("ticks", 0)


class Held(MemorySink):
    """Acknowledges nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker({"changelog": 1}, clock=SystemClock()))
        self.waiting: list[SendDone] = []

    def send(self, records: OutRecords, done: SendDone) -> None:
        self.waiting.append(done)


class Pieces:
    """A changelog that has one piece to tell, once."""

    def __init__(self) -> None:
        self._left = [OutRecords("changelog", T0, [b"k"], [b"v"])]

    def go_on(self, now_ns: int) -> None:
        """Nothing more comes."""

    def records(self) -> list[OutRecords]:
        told, self._left = self._left, []
        return told


def commits() -> tuple[ChangelogCommits, Held]:
    sink = Held()
    changelog: Any = Pieces()
    made = ChangelogCommits(
        engine=cast("Engine", None), changelog=cast("Changelog", changelog), sink=sink, clock=SystemClock(), then=None
    )  # fmt: skip
    return made, sink


async def rounds() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("first_is_cancelled", [False, True])
async def test_who_publishes_next_waits_for_what_was_sent_before(
    *, first_is_cancelled: bool
) -> None:
    """A revocation comes while a commit waits, or the end of the service cancels it and commits once more."""
    made, sink = commits()
    first = asyncio.create_task(made.publish())
    await rounds()
    if first_is_cancelled:
        first.cancel()
        await rounds()
    second = asyncio.create_task(made.publish())
    await rounds()
    assert not second.done()
    sink.waiting[0](1)
    await second
    await asyncio.gather(first, return_exceptions=True)


async def test_what_the_broker_never_took_is_not_forgotten() -> None:
    made, sink = commits()
    first = asyncio.create_task(made.publish())
    await rounds()
    first.cancel()
    await rounds()
    sink.waiting[0](ExternalError("gone"))
    with pytest.raises(ExternalError, match="gone"):
        await made.publish()
