"""The clocks: one timeline in int64 nanoseconds since 1970, UTC.

Every ``*_ns`` of the project is on the timeline of one ``Clock``. The system's clock is a wall
anchor read once, plus monotonic time since: a step of the machine's wall clock therefore never
moves a deadline. This is the only module that reads the machine's clocks (``ruff`` bans the calls
elsewhere).
"""

import time
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Tells the time of a timeline."""

    def now_ns(self) -> int:
        """The present instant, int64 ns since 1970 on this clock's timeline; never goes back."""
        ...


class SystemClock:
    """Wall anchor at construction plus monotonic time since."""

    __slots__ = ("_offset_ns",)

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """The present instant, ns since 1970."""
        return time.monotonic_ns() + self._offset_ns

    def wall_step_ns(self) -> int:
        """How far the machine's wall clock has moved away from this timeline, in ns."""
        return time.time_ns() - self.now_ns()


class VirtualClock:
    """A clock that stands still until it is told to move; for tests, replay and simulation.

    Args:
        start_ns: the first instant, ns since 1970.
    """

    __slots__ = ("_now_ns",)

    def __init__(self, start_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """The present instant, ns since 1970."""
        return self._now_ns

    def advance_to(self, instant_ns: int) -> None:
        """Move to an instant; one that lies in the past leaves the clock where it is."""
        self._now_ns = max(self._now_ns, instant_ns)

    def advance(self, duration_ns: int) -> None:
        """Move forward.

        Raises:
            ValueError: the duration is negative.
        """
        if duration_ns < 0:
            msg = f"a clock cannot go back: advance({duration_ns})"
            raise ValueError(msg)
        self._now_ns += duration_ns


def process_cpu_ns() -> int:
    """CPU time of this process, all threads, user and system, in ns."""
    return time.process_time_ns()


def thread_cpu_ns() -> int:
    """CPU time of this thread, user and system, in ns: without what it waited, for the interpreter too."""
    return time.thread_time_ns()
