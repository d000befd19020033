"""What a long-lived process does beside its work: the garbage collector's pauses, the loop's lag."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Iterator

from streamproc.core import NS_PER_MS, NS_PER_S, Clock, SystemClock

log = logging.getLogger(__name__)

_BEAT_S = 0.25
_STEP_NS = 50 * NS_PER_MS
"""A smaller difference is the clock being slewed (ntp corrects by 0.5 ms a second at most)."""
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


class Heartbeat:
    """A regular beat on the event loop: measures how late it comes, and collects garbage in between.

    Args:
        clock: to measure with.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall_step_ns = 0
        self.lag_ns = 0
        """How late the last beat came, the collector's pause included."""

    async def run(self) -> None:
        """Beat until cancelled."""
        beats = 0
        while True:
            due_ns = self._clock.now_ns() + int(_BEAT_S * NS_PER_S)
            if beats and beats % _COLLECT_EVERY_BEATS == 0:
                full = beats % (_COLLECT_EVERY_BEATS * _FULL_EVERY_COLLECTIONS) == 0
                gc.collect(2 if full else 1)
            await asyncio.sleep((due_ns - self._clock.now_ns()) / NS_PER_S)
            self.lag_ns = max(0, self._clock.now_ns() - due_ns)
            beats += 1
            self._watch_wall()

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
