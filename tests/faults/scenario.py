"""What a scenario is: a fault, what is promised of it, and a function that brings it about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.stage import Stage

    Act = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table in ``docs/reliability.md``.

    Attributes:
        name: on the command line.
        fault: what goes wrong.
        promise: what then happens.
        act: brings it about, and raises where the promise is broken.
        quick: True where it is a part of ``make test``.
        shares: True where it touches its own processes and topics only: others like it may be played beside it.
    """

    name: str
    fault: str
    promise: str
    act: Act
    quick: bool = False
    shares: bool = False


_KNOWN: dict[str, Scenario] = {}


def scenario(
    fault: str, promise: str, *, quick: bool = False, shares: bool = False
) -> Callable[[Act], Act]:
    """Make a scenario of a function; its name is the function's."""

    def made(act: Act) -> Act:
        name = act.__name__
        assert name not in _KNOWN, f"two scenarios are called {name}"
        _KNOWN[name] = Scenario(name, fault, promise, act, quick, shares)
        return act

    return made


def register(known: Scenario) -> None:
    """Add one that is not a function's, such as one of several alike."""
    assert known.name not in _KNOWN, f"two scenarios are called {known.name}"
    _KNOWN[known.name] = known


def all_scenarios() -> Iterator[Scenario]:
    """Every scenario, in the order of their files."""
    import tests.faults.scenarios  # noqa: F401, PLC0415 - they register themselves

    yield from _KNOWN.values()


def named(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        LookupError: there is none; the text has the names.
    """
    known = {each.name: each for each in all_scenarios()}
    if name not in known:
        msg = f"no scenario is called {name!r}: there are {', '.join(known)}"
        raise LookupError(msg)
    return known[name]
