"""What a long-lived process does beside its work: the garbage collector's pauses, the loop's lag."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Iterator, Mapping

from streamproc.core import NS_PER_MS, NS_PER_S, Clock, SystemClock

log = logging.getLogger(__name__)

_BEAT_S = 0.25
_STEP_NS = 50 * NS_PER_MS
"""A smaller difference is the clock being slewed (ntp corrects by 0.5 ms a second at most)."""
_SKEW_NS = 10 * NS_PER_MS
"""A clock that is off by less is passed over."""
_SKEWS_SAID_MAX = 20
_COLLECT_EVERY_BEATS = 20
_FULL_EVERY_COLLECTIONS = 12


@contextlib.contextmanager
def quiet_collector() -> Iterator[None]:
    """Freeze what is alive and switch the automatic collector off; ``beat`` collects instead.

    A full collection walks every object of the process: 50 to 200 ms in the middle of a burst.
    """
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


class SkewWatch:
    """Says once of each source that its clock is off by more than can be passed over.

    Args:
        budget_ns: of the pipeline: a clock that is behind takes its part of it.
    """

    def __init__(self, budget_ns: int) -> None:
        self._slow_ns = max(_SKEW_NS, budget_ns // 4)
        self._said: set[tuple[str, bool]] = set()

    def look(self, skews_ns: Mapping[str, int]) -> None:
        """Look at the sources' clocks.

        Args:
            skews_ns: by source, how far its clock is behind ours; negative is ahead.
        """
        for source, behind_ns in skews_ns.items():
            ahead = behind_ns < 0
            off = behind_ns < -_SKEW_NS or behind_ns > self._slow_ns
            if not off or (source, ahead) in self._said or len(self._said) >= _SKEWS_SAID_MAX:
                continue
            self._said.add((source, ahead))
            if ahead:
                log.warning(
                    "%s: events arrive %.0f ms before they say they happened: the clock of their producer is "
                    "ahead of ours; their times are put right by as much",
                    source,
                    -behind_ns / NS_PER_MS,
                )
            else:
                log.warning(
                    "%s: events arrive %.0f ms after they say they happened, with nothing waiting in the log: the "
                    "clock of their producer is behind ours, or the way to the broker takes so long; if it is the "
                    "clock, deadline.skew: {slow: correct} puts it right",
                    source,
                    behind_ns / NS_PER_MS,
                )


class Heartbeat:
    """A regular beat on the event loop: measures how late it comes, and collects garbage in between.

    Args:
        clock: to measure with.
        each: is called at every beat.
    """

    def __init__(self, clock: Clock, each: Callable[[], None]) -> None:
        self._clock = clock
        self._each = each
        self._wall_step_ns = 0
        self.lag_ns = 0
        """How late the last beat came, the collector's pause included."""
        self.beats = 0
        """How many there were."""

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            due_ns = self._clock.now_ns() + int(_BEAT_S * NS_PER_S)
            if self.beats and self.beats % _COLLECT_EVERY_BEATS == 0:
                full = self.beats % (_COLLECT_EVERY_BEATS * _FULL_EVERY_COLLECTIONS) == 0
                gc.collect(2 if full else 1)
            await asyncio.sleep((due_ns - self._clock.now_ns()) / NS_PER_S)
            self.lag_ns = max(0, self._clock.now_ns() - due_ns)
            self.beats += 1
            self._watch_wall()
            self._each()

    def _watch_wall(self) -> None:
        """Say when the machine's wall clock has moved away from our timeline."""
        if not isinstance(self._clock, SystemClock):
            return
        step_ns = self._clock.wall_step_ns()
        if abs(step_ns - self._wall_step_ns) > _STEP_NS:
            self._wall_step_ns = step_ns
            log.warning(
                "the wall clock is %+.0f ms off this process's timeline, which it had at the start: "
                "deadlines from producers' clocks are off by as much; a restart takes the new time",
                step_ns / NS_PER_MS,
            )
