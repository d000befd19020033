"""The player: absolute, nothing left out, late ones together, ended early."""

import asyncio
from collections.abc import Sequence

import numpy as np

from streamproc.core import NS_PER_MS
from streamproc.replay import Played, Recorded, Schedule, play
from streamproc.replay.player import ROWS_MAX


class TickingClock:
    """Goes on by so much each time it is read; sleeping takes none of its time."""

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._now_ns = 1_000

    def now_ns(self) -> int:
        self._now_ns += self._step_ns
        return self._now_ns


def events(count: int) -> list[Recorded]:
    return [Recorded(b"k", str(i).encode()) for i in range(count)]


async def played(
    schedule: Schedule, count: int, *, step_ns: int, stop_after: int | None = None
) -> tuple[Played, list[tuple[int, list[bytes]]]]:
    sends: list[tuple[int, list[bytes]]] = []
    stop = asyncio.Event()

    async def send(rows: Sequence[Recorded], now_ns: int) -> None:
        sends.append((now_ns, [row.value for row in rows]))
        if stop_after is not None and len(sends) >= stop_after:
            stop.set()

    report = await play(
        schedule,
        iter(events(count)),
        count=count,
        send=send,
        clock=TickingClock(step_ns),
        stop=stop,
    )
    return report, sends


async def test_each_event_goes_out_once_in_order_and_never_early() -> None:
    schedule = Schedule(np.arange(20, dtype=np.int64) * 3 * NS_PER_MS)
    report, sends = await played(schedule, 20, step_ns=NS_PER_MS)
    assert [value for _, rows in sends for value in rows] == [e.value for e in events(20)]
    assert report.sent == len(report.lag_ns) == 20
    assert report.lag_ns.min() >= 0


async def test_a_delay_is_caught_up_and_not_carried_on() -> None:
    schedule = Schedule(np.arange(30, dtype=np.int64) * NS_PER_MS)
    report, sends = await played(schedule, 30, step_ns=10 * NS_PER_MS)
    assert len(sends) < 10  # what was due in the meantime went together
    assert report.lag_ns.max() <= 20 * NS_PER_MS  # gap by gap, it would grow to 290 ms


async def test_a_large_burst_is_sent_in_parts() -> None:
    schedule = Schedule(np.zeros(2 * ROWS_MAX + 1, np.int64))
    _, sends = await played(schedule, 2 * ROWS_MAX + 1, step_ns=1)
    assert [len(rows) for _, rows in sends] == [ROWS_MAX, ROWS_MAX, 1]


async def test_it_ends_when_told() -> None:
    schedule = Schedule(np.arange(100, dtype=np.int64) * NS_PER_MS)
    report, sends = await played(schedule, 100, step_ns=NS_PER_MS, stop_after=3)
    assert len(sends) == 3
    assert report.sent < 100


async def test_nothing_to_play() -> None:
    report, sends = await played(Schedule(np.zeros(1, np.int64)), 0, step_ns=1)
    assert (report.sent, sends, report.lag_ms()) == (0, [], {})
