"""Sends records, and waits until the broker has them."""

import asyncio
from collections.abc import Iterable

from streamproc.core import OutRecords, Sink


class Acknowledging:
    """Belongs to the event loop; several may send at the same time, and who does may be cancelled.

    Args:
        sink: sends.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting: list[asyncio.Future[int]] = []

    async def send(self, batches: Iterable[OutRecords]) -> None:
        """Send all, and return when all are acknowledged: these, and whatever was sent here before.

        Raises:
            ExternalError: they never will be.
        """
        loop = asyncio.get_running_loop()
        for records in batches:
            told: asyncio.Future[int] = loop.create_future()

            def done(result: int | Exception, told: asyncio.Future[int] = told) -> None:
                if told.done():
                    return
                if isinstance(result, Exception):
                    told.set_exception(result)
                else:
                    told.set_result(result)

            self._waiting.append(told)
            self._sink.send(records, done)
        waiting = set(self._waiting)
        if waiting:
            await asyncio.wait(waiting)
        for told in waiting:
            told.result()
        self._waiting = [told for told in self._waiting if told not in waiting]
