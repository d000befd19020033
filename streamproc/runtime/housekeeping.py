"""What a long-lived process does beside its work: the garbage collector's pauses, the loop's lag."""

import asyncio
import contextlib
import gc
from collections.abc import Iterator

from streamproc.core import NS_PER_S, Clock

_BEAT_S = 0.25
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
        self.lag_ns = 0
        """How late the last beat came."""

    async def run(self) -> None:
        """Beat until cancelled."""
        beats = 0
        while True:
            due_ns = self._clock.now_ns() + int(_BEAT_S * NS_PER_S)
            await asyncio.sleep(_BEAT_S)
            self.lag_ns = max(0, self._clock.now_ns() - due_ns)
            beats += 1
            if beats % _COLLECT_EVERY_BEATS == 0:
                full = beats % (_COLLECT_EVERY_BEATS * _FULL_EVERY_COLLECTIONS) == 0
                gc.collect(2 if full else 1)
