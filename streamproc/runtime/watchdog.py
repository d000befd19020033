"""Whether the work goes on: what is looked at, and what is done where it does not.

A client can get stuck without an error: a group that forgets a member after a broker's restart, a batch whose
model never answers. What shows it is always the same: there is something to read or to finish, and nothing
gets its outcome. First the source's client is made anew; if that does not help, the process ends, and a
supervisor starts another.
"""

import enum

from streamproc.core import NS_PER_S


class Advice(enum.Enum):
    """What is to be done."""

    NOTHING = enum.auto()
    ASK = enum.auto()
    """It has been quiet for long: find out whether there is anything to do."""
    REJOIN = enum.auto()
    """Make the source's client anew."""
    GIVE_UP = enum.auto()
    """End, for a supervisor to start again."""


class ProgressWatch:
    """Looks at numbers, and gives advice; no I/O, no clock.

    Args:
        patience_ns: how long nothing may get its outcome while there is something to do.
    """

    def __init__(self, patience_ns: int) -> None:
        if patience_ns <= 0:
            msg = f"patience_ns must be positive, was {patience_ns}"
            raise ValueError(msg)
        self._patience_ns = patience_ns
        self._seen: object = None
        self._since_ns: int | None = None
        self._stuck_since_ns: int | None = None

    def look(self, now_ns: int, progress: object) -> Advice:
        """Look at how far the work is.

        Args:
            now_ns: the present instant.
            progress: anything that changes when, and only when, the work goes on.

        Returns:
            ``NOTHING`` or ``ASK``.
        """
        if self._since_ns is None or progress != self._seen:
            self._seen = progress
            self._since_ns, self._stuck_since_ns = now_ns, None
            return Advice.NOTHING
        return Advice.ASK if now_ns - self._since_ns >= self._patience_ns else Advice.NOTHING

    def answered(self, now_ns: int, waiting: int | None) -> Advice:
        """Take the answer to ``ASK``.

        Args:
            now_ns: the present instant.
            waiting: records that wait to be read or finished; None where it is not known, as nobody answers:
                then the cause lies outside, and neither a new client nor a new process would help.

        Returns:
            ``NOTHING``, ``REJOIN`` or ``GIVE_UP``.
        """
        first_ns = self._stuck_since_ns
        self._since_ns = now_ns
        if not waiting:
            self._stuck_since_ns = None
            return Advice.NOTHING
        if first_ns is None:
            self._stuck_since_ns = now_ns - self._patience_ns
            return Advice.REJOIN
        return Advice.GIVE_UP

    def stuck_s(self, now_ns: int) -> float:
        """For how long nothing has got its outcome though there was something to do, in seconds."""
        return 0.0 if self._stuck_since_ns is None else (now_ns - self._stuck_since_ns) / NS_PER_S
