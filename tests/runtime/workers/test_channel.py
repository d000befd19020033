"""Messages arrive whole, and a side that does not read holds nobody up."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from streamproc.runtime.workers.channel import Channel
from tests.runtime.workers.lives import until


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[tuple[Channel, Channel]]:
    first, second = socket.socketpair()
    ours, theirs = await Channel.open(first), await Channel.open(second)
    async with asyncio.timeout(10):
        yield ours, theirs
    await ours.close()
    await theirs.close()


async def test_messages_arrive_whole_and_in_order_until_the_other_side_closes() -> None:
    said = ["join", b"x" * 3_000_000, {"a": [1, 2]}, ""]
    async with pair() as (ours, theirs):
        heard = asyncio.create_task(all_of(theirs))
        for message in said:
            ours.tell(message)
        await asyncio.sleep(0)
        await until(lambda: ours.is_clear)
        await ours.close()
        assert await heard == said


async def test_a_side_that_does_not_read_is_noticed_and_not_waited_for() -> None:
    async with pair() as (ours, _):
        assert ours.is_clear
        while ours.is_clear:
            ours.tell(b"x" * 60_000)


async def test_an_end_in_the_middle_of_a_message_is_an_end() -> None:
    first, second = socket.socketpair()
    theirs = await Channel.open(second)
    first.sendall((1_000).to_bytes(4, "big") + b"half")
    first.close()
    assert await all_of(theirs) == []
    await theirs.close()


async def test_what_is_said_to_a_side_that_is_gone_is_lost() -> None:
    first, second = socket.socketpair()
    ours = await Channel.open(first)
    second.close()
    assert await all_of(ours) == []
    for _ in range(3):
        ours.tell("stop")
        await asyncio.sleep(0)
    await ours.close()
    ours.tell("stop")


async def all_of(channel: Channel) -> list[object]:
    return [message async for message in channel.messages()]
