"""The circuit breaker: a model that fails again and again is left alone for a while."""

from typing import Literal

from streamproc.executors.isolated.options import Breaker

State = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """Says whether a batch may be tried; told how it went.

    Closed it lets everything pass. After so many failures in a row it is open, and nothing passes. When its
    pause is over it is half open: one batch passes. If that is answered it closes, else it is open for twice
    as long.

    Args:
        options: what the user set.
    """

    def __init__(self, options: Breaker) -> None:
        self._options = options
        self._failures = 0
        self._failed_ns = 0
        self._pause_ns = int(options.pause)
        self._until_ns: int | None = None
        self._trying = False
        self.opened_total = 0
        """How often it opened."""

    def state(self, now_ns: int) -> State:
        """How it stands."""
        if self._until_ns is None:
            return "closed"
        return "open" if now_ns < self._until_ns else "half_open"

    def allows(self, now_ns: int) -> bool:
        """Whether a batch may be tried now; where it is half open, only the first that asks."""
        match self.state(now_ns):
            case "closed":
                return True
            case "open":
                return False
            case "half_open":
                first, self._trying = not self._trying, True
                return first

    def answered(self) -> None:
        """A batch was answered, be it with an exception of the model's."""
        self._failures = 0
        self._pause_ns = int(self._options.pause)
        self._until_ns = None
        self._trying = False

    def failed(self, now_ns: int) -> bool:
        """The process died or hung; True where this opens the breaker."""
        if now_ns - self._failed_ns > self._options.window:
            self._failures = 0
        self._failed_ns = now_ns
        self._failures += 1
        again = self.state(now_ns) == "half_open"
        if not again and (self._until_ns is not None or self._failures < self._options.failures):
            return False
        if again:
            self._pause_ns = min(2 * self._pause_ns, int(self._options.pause_max))
        self._until_ns = now_ns + self._pause_ns
        self._trying = False
        self.opened_total += 1
        return True
