"""Watches the event loop from a thread beside it: a loop that stands still cannot say so itself.

While it stands, nothing is decided, no heartbeat goes to Kafka and no signal is heard. What keeps it is said
with its place in the code: mostly a user's function or a model that was quick until now.
"""

import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from streamproc.core import NS_PER_S

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger(__name__)

TICK_S = 0.5
WARN_TICKS = 4
_FRAMES = 3


class LoopWatch:
    """Counts looks at which the loop had not moved; in a ``with`` block, from the loop's thread.

    Looks are counted, and not time: a machine that was asleep, or a process that was stopped, wakes with a loop
    that has not moved for hours and is about to.

    Args:
        beats: a number that grows while the loop goes round, more often than a tick.
        patience_ns: after so long, ``hung`` is told; None for never.
        hung: is told, in the watching thread, of a loop that does not come back, with its place in the code.
        tick_s: how often it is looked at.
    """

    def __init__(
        self,
        beats: Callable[[], int],
        *,
        patience_ns: int | None = None,
        hung: Callable[[str], None] | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        self._beats = beats
        self._hung = hung
        self._tick_s = tick_s
        self._ticks_max = (
            None
            if patience_ns is None
            else max(WARN_TICKS + 1, int(patience_ns / NS_PER_S / tick_s))
        )
        self._end = threading.Event()
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._run, name="streamproc-loop-watch", daemon=True)

    def __enter__(self) -> Self:
        self._watched = threading.get_ident()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        seen, still = self._beats(), 0
        while not self._end.wait(self._tick_s):
            beats = self._beats()
            if beats != seen:
                if still >= WARN_TICKS:
                    log.warning("the event loop goes on after %.1f s", still * self._tick_s)
                seen, still = beats, 0
                continue
            still += 1
            if still == WARN_TICKS:
                log.warning(
                    "the event loop has stood still for %.1f s, in %s: nothing is decided meanwhile",
                    still * self._tick_s,
                    self._place(),
                )
            if still == self._ticks_max and self._hung is not None:
                self._hung(
                    f"the event loop does not come back after {still * self._tick_s:.0f} s, in {self._place()}"
                )

    def _place(self) -> str:
        """Where the loop's thread is: the innermost calls, from the inside."""
        frame: FrameType | None = sys._current_frames().get(self._watched)  # noqa: SLF001 - the documented way
        places: list[str] = []
        while frame is not None and len(places) < _FRAMES:
            code = frame.f_code
            places.append(f"{code.co_name} ({code.co_filename}:{frame.f_lineno})")
            frame = frame.f_back
        return ", called by ".join(places) or "an unknown place"
