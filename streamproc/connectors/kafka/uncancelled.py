"""Requests of aiokafka whose waiting may be cut short, while they themselves go on to their end.

aiokafka shields a commit from cancellation, and then nobody takes note of how it ends: asyncio prints a traceback
when it fails. So whoever waits for one is cancelled here, and the request is not.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Uncancelled:
    """The requests that are under way."""

    def __init__(self) -> None:
        self._requests: set[asyncio.Task[Any]] = set()

    async def wait(self, request: Coroutine[Any, Any, None]) -> None:
        """Start a request, and wait for its end or until cancelled."""
        task = asyncio.create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    async def end(self) -> None:
        """Cancel what still waits; the client must be stopped, so that nothing is in the middle of a request."""
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._requests.discard(task)
        if not task.cancelled():
            task.exception()  # asyncio would say that nobody asked for it
