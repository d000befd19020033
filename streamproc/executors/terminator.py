"""Stops runs of onnxruntime whose time is up: the watchdog that sets their flag."""

import threading
from itertools import count
from typing import Any, Final

from streamproc.core import NS_PER_S, Clock

_NEVER_NS: Final = 1 << 62


class Terminator:
    """Sets ``RunOptions.terminate`` of each run at its time; onnxruntime looks at it between two operators.

    One thread, which begins with the first run that has a time. It sleeps until the first of those times: a run that ends
    before costs two looks into a dictionary, and no wake-up.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._runs: dict[int, tuple[int, Any]] = {}
        self._numbers = count()
        self._wake_ns = _NEVER_NS
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, options: Any, until_ns: int) -> int:  # noqa: ANN401 - onnxruntime has no types
        """A run begins that is to be stopped at an instant; gives a number for ``end``."""
        with self._changed:
            number = next(self._numbers)
            self._runs[number] = (until_ns, options)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="streamproc-terminator", daemon=True
                )
                self._thread.start()
            elif until_ns < self._wake_ns:
                self._changed.notify()
        return number

    def end(self, number: int) -> bool:
        """The run has ended; True where it was told to."""
        with self._changed:
            return self._runs.pop(number, None) is None

    def close(self) -> None:
        """Watch no more; runs under way are not stopped any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now_ns = self._clock.now_ns()
                due = [number for number, (at_ns, _) in self._runs.items() if at_ns <= now_ns]
                for number in due:
                    _, options = self._runs.pop(number)
                    options.terminate = True
                self._wake_ns = min((at_ns for at_ns, _ in self._runs.values()), default=_NEVER_NS)
                wait_s = None
                if self._wake_ns < _NEVER_NS:
                    wait_s = (self._wake_ns - now_ns) / NS_PER_S
                self._changed.wait(wait_s)
