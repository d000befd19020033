"""Keeps the work going: makes a stuck source anew, and ends the process where that does not help."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from streamproc.core import NS_PER_S, Clock, ExternalError, Recoverable, Source
from streamproc.engine import Changelog
from streamproc.runtime.driver import Driver
from streamproc.runtime.watchdog import Advice, ProgressWatch
from streamproc.telemetry import Accounts

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """Follows the watchdog's advice.

    Attributes:
        source: what may be stuck; nothing is done for one that cannot be made anew.
        driver: is told where nothing helps.
        accounts: where the work shows.
        clock: the pipeline's time.
        held: whether the intake is paused by somebody who wants it so.
        patience_ns: how long nothing may get its outcome while there is something to do; None for ever.
        changelog: what is read of it is work, too; None where there is none.
    """

    source: Source
    driver: Driver
    accounts: Accounts
    clock: Clock
    held: Callable[[], bool]
    patience_ns: int | None
    changelog: Changelog | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        if self.patience_ns is None or not isinstance(self.source, Recoverable):
            await asyncio.Event().wait()
            return
        watch = ProgressWatch(self.patience_ns)
        while True:
            await asyncio.sleep(min(LOOK_EVERY_S, self.patience_ns / NS_PER_S / 4))
            advice = watch.look(self.clock.now_ns(), self._progress())
            if advice is not Advice.ASK:
                continue
            unread = await self.source.unread()
            under_way = self.accounts.in_flight
            waiting = None if unread is None else unread + under_way
            match watch.answered(self.clock.now_ns(), waiting):
                case Advice.REJOIN:
                    await self._rejoin(self.source, unread or 0, under_way)
                case Advice.GIVE_UP:
                    self._give_up(watch.stuck_s(self.clock.now_ns()), unread or 0, under_way)
                    return
                case Advice.NOTHING | Advice.ASK:
                    pass

    def _progress(self) -> object:
        """What changes when the work goes on, or is not to go on."""
        if self.held():
            return object()
        read = 0 if self.changelog is None else self.changelog.read_total
        return self.accounts.consumed, self.accounts.restored, self.source.skipped_total, read

    async def _rejoin(self, source: Recoverable, unread: int, under_way: int) -> None:
        log.error(
            "no event got its outcome for %.0f s, though %d wait to be read and %d are under way: connecting anew",
            (self.patience_ns or 0) / NS_PER_S,
            unread,
            under_way,
        )
        try:
            await source.rejoin()
        except ExternalError as error:
            if not error.retriable:
                self.driver.fail(error)
            log.warning("%s; trying again", error)

    def _give_up(self, stuck_s: float, unread: int, under_way: int) -> None:
        msg = (
            f"no event got its outcome for {stuck_s:.0f} s, though {unread} wait to be read and {under_way} are under "
            "way, and a new connection did not help: ended, to be started again"
        )
        self.driver.fail(ExternalError(msg, retriable=True))
