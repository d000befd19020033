"""How much time each part of a pipeline takes: its parts are called through a clock."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar, cast

from streamproc.core import SystemClock

_Part = TypeVar("_Part")

REST: Final = "queue, books, sending"
"""What is left of the whole: the engine's own work between its parts."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """What a part took, without what the parts took that it called.

    Attributes:
        stage: its name.
        calls: how often it was called.
        took_ns: for how long in all.
    """

    stage: str
    calls: int
    took_ns: int


class StageClock:
    """Times parts, in real time: a process's CPU time takes a system call to read, which costs more than many a part."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._sums: dict[str, list[int]] = {}
        self._inner_ns: list[int] = []
        """Of each call under way, what the calls inside of it took."""

    def watch(self, stage: str, part: _Part) -> _Part:
        """The part, each of whose methods is timed."""
        return cast("_Part", _Timed(part, stage, self._timed))

    def times(self, whole_ns: int) -> list[StageTime]:
        """What each part took, and the rest of the whole; the longest first."""
        found = [StageTime(stage, *sums) for stage, sums in self._sums.items()]
        rest_ns = whole_ns - sum(one.took_ns for one in found)
        found.append(StageTime(REST, 0, max(0, rest_ns)))
        return sorted(found, key=lambda one: -one.took_ns)

    def _timed(self, stage: str, method: Callable[..., Any]) -> Callable[..., Any]:
        sums = self._sums.setdefault(stage, [0, 0])
        now_ns, inner_ns = self._clock.now_ns, self._inner_ns

        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the part has
            inner_ns.append(0)
            began_ns = now_ns()
            try:
                return method(*args, **kwargs)
            finally:
                took_ns = now_ns() - began_ns
                sums[0] += 1
                sums[1] += took_ns - inner_ns.pop()
                if inner_ns:
                    inner_ns[-1] += took_ns

        return call


class _Timed:
    """Stands for a part: its methods are timed, the rest is its own."""

    def __init__(
        self,
        part: object,
        stage: str,
        timed: Callable[[str, Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        self.__dict__.update(_part=part, _stage=stage, _wrap=timed)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the part has
        found = getattr(self._part, name)
        if callable(found):
            found = self._wrap(self._stage, found)
            self.__dict__[name] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._part, name, value)
