"""Who waits for a request is cancelled; the request is not, and its end is taken note of."""

import asyncio
import gc

import pytest

from streamproc.connectors.kafka.uncancelled import Uncancelled


async def test_the_request_outlives_who_waits_and_fails_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    requests, ended = Uncancelled(), asyncio.Event()

    async def request() -> None:
        try:
            await asyncio.sleep(0.02)
        finally:
            ended.set()
        raise OSError("nobody answers")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await requests.wait(request())
    assert not ended.is_set()
    await ended.wait()
    await asyncio.sleep(0)
    gc.collect()
    assert not caplog.records


async def test_what_it_raises_is_raised_to_who_still_waits() -> None:
    async def request() -> None:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        await Uncancelled().wait(request())


async def test_the_end_leaves_nothing_behind() -> None:
    requests = Uncancelled()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await requests.wait(asyncio.sleep(60))
    before = len(asyncio.all_tasks())
    await requests.end()
    assert len(asyncio.all_tasks()) == before - 1
