"""Plays events at the times of a schedule. What sends them is handed in."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import NS_PER_MS, NS_PER_S, Clock, Int64Array
from streamproc.replay.recorded import Recorded
from streamproc.replay.schedule import Schedule

PAUSE_NS = NS_PER_MS
"""Event loops sleep by whole milliseconds; to wait for less would spin, and take the CPU from the
pipeline that is being watched."""
ROWS_MAX = 500
"""Events of one send: about 128 KB of the market recording, so that one request takes them."""

Send = Callable[[Sequence[Recorded], int], Awaitable[None]]
"""Sends events, stamped with the present instant in ns."""


@dataclass(slots=True)
class Played:
    """What a player did.

    Attributes:
        sent: events handed over.
        seconds: from the start to the last of them.
        lag_ns: int64 [sent], how much later than due each was handed over.
    """

    sent: int = 0
    seconds: float = 0.0
    lag_ns: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def lag_ms(self) -> dict[str, float]:
        """The lag's percentiles in ms; empty where nothing was sent."""
        if not self.lag_ns.size:
            return {}
        middle, high, top = np.percentile(self.lag_ns / NS_PER_MS, [50, 99, 100]).tolist()
        return {"p50": round(middle, 3), "p99": round(high, 3), "max": round(top, 3)}


async def play(
    schedule: Schedule,
    events: Iterator[Recorded],
    *,
    count: int,
    send: Send,
    clock: Clock,
    stop: asyncio.Event,
    pause_ns: int = PAUSE_NS,
) -> Played:
    """Send events when they are due; all that are due at once go together.

    Args:
        schedule: when each is due.
        events: as many as are played, at least.
        count: how many are played.
        send: sends them.
        clock: the time.
        stop: ends it early.
        pause_ns: how long it waits at least between two sends, unless it is behind.

    Returns:
        how many were sent, and how late.
    """
    start_ns = clock.now_ns()
    lags = array("q")
    index = 0
    due_ns = start_ns + schedule.due_ns(0)
    while index < count and not stop.is_set():
        now_ns = clock.now_ns()
        if due_ns > now_ns:
            await _sleep(max(due_ns - now_ns, pause_ns), stop)
            continue
        rows: list[Recorded] = []
        while index < count and due_ns <= now_ns and len(rows) < ROWS_MAX:
            rows.append(next(events))
            lags.append(now_ns - due_ns)
            index += 1
            due_ns = start_ns + schedule.due_ns(index)
        await send(rows, now_ns)
    seconds = (clock.now_ns() - start_ns) / NS_PER_S
    return Played(index, seconds, np.array(lags, np.int64))


_LONG_NS = 100 * NS_PER_MS


async def _sleep(duration_ns: int, stop: asyncio.Event) -> None:
    """Sleep; only a long sleep is worth watching for the stop."""
    if duration_ns < _LONG_NS:
        await asyncio.sleep(duration_ns / NS_PER_S)
        return
    try:
        async with asyncio.timeout(duration_ns / NS_PER_S):
            await stop.wait()
    except TimeoutError:
        return
