"""Takes alerts to one place: the newest state of each, tried again until it is taken, whatever that takes."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streamproc.core import ExternalError
from streamproc.slo.alerts import Alert

log = logging.getLogger(__name__)

Send = Callable[[Sequence[Alert]], Awaitable[None]]
"""Raises ``ExternalError`` where they are not taken; ``retriable`` where another try may go better."""

_BACKOFF_MAX_S: Final = 60.0
_LAST_TRY_S: Final = 5.0


class Courier:
    """Belongs to the event loop; never waited for by those who tell it something.

    What waits is one alert a fingerprint, so that a place that is dead costs a try a minute, and no memory that grows:
    what has begun and ended meanwhile is told as ended.

    Args:
        place: for the log: ``webhook``, ``topic``.
        send: takes alerts there.
        first_backoff_s: how long a place that took nothing is left alone at first.

    Attributes:
        place: as given.
        sent: alerts that were taken.
        failed: tries that were not.
    """

    def __init__(self, place: str, send: Send, *, first_backoff_s: float = 1.0) -> None:
        self.place = place
        self.sent = 0
        self.failed = 0
        self._send = send
        self._first_backoff_s = first_backoff_s
        self._waiting: dict[str, Alert] = {}
        self._something = asyncio.Event()

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Take them along."""
        for alert in alerts:
            self._waiting[alert.fingerprint] = alert
        if alerts:
            self._something.set()

    async def run(self) -> None:
        """Take alerts there until cancelled."""
        backoff_s = self._first_backoff_s
        while True:
            await self._something.wait()
            if await self._try():
                backoff_s = self._first_backoff_s
            else:
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)

    async def finish(self) -> None:
        """One last try for what waits, within a bounded time; to be called when ``run`` is over."""
        if self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_TRY_S):
                    await self._try()

    async def _try(self) -> bool:
        """Send what waits; False where it is to be tried again."""
        taken, self._waiting = self._waiting, {}
        self._something.clear()
        if not taken:
            return True
        try:
            await self._send(list(taken.values()))
        except ExternalError as error:
            self.failed += 1
            if not error.retriable:
                log.error("alerts: the %s %s: %d are dropped", self.place, error, len(taken))  # noqa: TRY400
                return True
            level = logging.WARNING if self.failed == 1 else logging.DEBUG
            log.log(level, "alerts: the %s %s; trying again", self.place, error)
            self._put_back(taken)
            return False
        except asyncio.CancelledError:
            self._put_back(taken)
            raise
        self.sent += len(taken)
        return True

    def _put_back(self, taken: dict[str, Alert]) -> None:
        """What was told meanwhile is newer."""
        self._waiting = {**taken, **self._waiting}
        self._something.set()
