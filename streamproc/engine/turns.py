"""Runs between their start and their turn to be decided."""

from collections.abc import Iterator

from streamproc.core import InvariantError
from streamproc.engine.in_flight import Finished, InFlight


class Turns:
    """Gives finished runs in the order in which decisions may leave.

    Where order is kept, a run waits for all that were started before it in the same arm: a key's events are all in one.

    Args:
        keep_order: whether results leave in the order in which their runs were started.
    """

    def __init__(self, *, keep_order: bool) -> None:
        self._keep_order = keep_order
        self._running: dict[int, dict[int, InFlight]] = {}
        """By arm the runs that are not decided, in the order of their start."""
        self._arms: dict[int, int] = {}
        self._finished: dict[int, Finished] = {}

    def __len__(self) -> int:
        return len(self._arms)

    def of(self, run: int) -> InFlight | None:
        """A run that is under way; None where it was abandoned."""
        arm = self._arms.get(run)
        return None if arm is None else self._running[arm][run]

    def all_of(self, arm: int) -> list[InFlight]:
        """The runs of an arm that are not decided, in the order of their start."""
        return list(self._running.get(arm, {}).values())

    def begin(self, run: int, in_flight: InFlight) -> None:
        """A run is started, or started again."""
        self._arms[run] = in_flight.arm
        self._running.setdefault(in_flight.arm, {})[run] = in_flight

    def end(self, run: int, finished: Finished) -> Iterator[tuple[int, InFlight, Finished]]:
        """A run has ended; gives those whose turn has come.

        Raises:
            InvariantError: it is not under way.
        """
        if run not in self._arms:
            msg = f"run {run} is not under way: it ended before, or was abandoned"
            raise InvariantError(msg)
        self._finished[run] = finished
        of_arm = self._running[self._arms[run]]
        while of_arm:
            first = next(iter(of_arm)) if self._keep_order else run
            if first not in self._finished or first not in of_arm:
                return
            del self._arms[first]
            yield first, of_arm.pop(first), self._finished.pop(first)

    def abandon(self, arm: int) -> list[InFlight]:
        """Forget an arm's runs; gives them in the order of their start. What comes of them is no longer asked for."""
        of_arm = self._running.pop(arm, {})
        for run in of_arm:
            del self._arms[run]
            self._finished.pop(run, None)
        return list(of_arm.values())
