"""The memory of a comparison does not grow with what is compared."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from streamproc.replay.coordinates import Coordinates
from streamproc.replay.diff import DecisionRow, OutcomeRow, Side, difference

_CHANGED_EVERY = 1_000
CACHES_BYTES = 2 * (32 << 20)
"""SQLite's, one a side, which fill up as far as there are events."""


class Generated:
    """What a recording of so many events would tell; the odd ones first, so that there is something to sort."""

    def __init__(self, count: int, *, changed: bool) -> None:
        self._count = count
        self._changed = changed

    def _order(self) -> Iterator[int]:
        yield from range(1, self._count, 2)
        yield from range(0, self._count, 2)

    def outcomes(self) -> Iterator[OutcomeRow]:
        for offset in self._order():
            yield OutcomeRow(Coordinates("ticks", offset % 4, offset), "on_time", "", 2_000_000)

    def decisions(self) -> Iterator[DecisionRow]:
        for offset in self._order():
            label = "down" if self._changed and offset % _CHANGED_EVERY == 0 else "up"
            value = {"key": f"k{offset % 97}", "output": {"label": label, "scores": [0.25, 0.75]}}
            at = Coordinates("ticks", offset % 4, offset)
            yield DecisionRow(at, "on_time", json.dumps(value).encode())


def compare(count: int) -> None:
    """In a process of its own: prints the most memory it had (bytes), and how many events differ."""
    told = 0

    def tell(_: object) -> None:
        nonlocal told
        told += 1

    sides = [Side(name, Generated(count, changed=name == "b")) for name in "ab"]
    found = difference(*sides, told=tell)
    assert found.compared == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, told)


def peak_bytes(count: int) -> int:
    code = f"from tests.replay.diff.test_memory import compare; compare({count})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak, told = map(int, done.stdout.split())
    assert told == count // _CHANGED_EVERY
    return peak


def test_ten_times_as_many_events_take_no_more_than_the_caches() -> None:
    assert peak_bytes(20_000) < peak_bytes(2_000) + CACHES_BYTES


@pytest.mark.slow
def test_a_million_events_a_side() -> None:
    small, large = peak_bytes(100_000), peak_bytes(1_000_000)
    assert large < small + CACHES_BYTES
