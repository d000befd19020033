"""Sends records, and waits until the broker has them."""

import asyncio
from collections.abc import Iterable

from streamproc.core import OutRecords, Sink


async def acknowledged(sink: Sink, batches: Iterable[OutRecords]) -> None:
    """Send all, and return when all are acknowledged.

    Raises:
        ExternalError: they never will be.
    """
    loop = asyncio.get_running_loop()
    waiting = []
    for records in batches:
        told: asyncio.Future[int] = loop.create_future()

        def done(result: int | Exception, told: asyncio.Future[int] = told) -> None:
            if told.done():
                return
            if isinstance(result, Exception):
                told.set_exception(result)
            else:
                told.set_result(result)

        sink.send(records, done)
        waiting.append(told)
    if waiting:
        await asyncio.gather(*waiting)
