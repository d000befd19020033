"""How far deadlines by the exchange's clock are off those by a right one, on the market recording's two clocks.

    python -m replay.market.deadlines_off

The exchange's clock is 1.27 s ahead of the recorder's. A right clock is the exchange's, put back by as much as
makes its quickest event arrive at the instant at which it happened.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamproc.core import NS_PER_MS, Duration, Int64Array, RecordBatch, TopicPartition
from streamproc.engine import Deadline, EventTime, EventTimes

TIMES = Path(__file__).parent / "exchange_times.npz"
BUDGET = Duration.parse("50ms")


class Clocks(NamedTuple):
    """The recording's events by three clocks, each int64 [n] in ns since 1970.

    Attributes:
        arrival_ns: when they came, by the recorder's clock.
        event_ns: when they happened, as the exchange says.
        right_ns: when they happened, by a right clock.
    """

    arrival_ns: Int64Array
    event_ns: Int64Array
    right_ns: Int64Array


def clocks() -> Clocks:
    """Read the recording's clocks."""
    with np.load(TIMES) as columns:
        arrival_ns, event_ns = columns["receive_ns"], columns["exchange_ms"] * NS_PER_MS
    return Clocks(arrival_ns, event_ns, event_ns + (arrival_ns - event_ns).min())


def deadlines_ns(times: EventTimes, recorded: Clocks) -> Int64Array:
    """The deadlines (int64 [n]) of events that are fetched one by one, as they come."""
    return np.concatenate(
        [
            times.of_events(
                _record(arrival_ns), None, {"ts": np.array([event_ns])}, None
            ).deadline_ns
            for arrival_ns, event_ns in zip(
                recorded.arrival_ns.tolist(), recorded.event_ns.tolist(), strict=True
            )
        ]
    )


def off_ms(budget: Duration = BUDGET) -> npt.NDArray[np.float64]:
    """How much later than by the right clock the deadlines are (float64 [n], ms)."""
    recorded = clocks()
    times = EventTimes(EventTime(field="ts", unit="ns"), Deadline(budget=budget))
    return (deadlines_ns(times, recorded) - recorded.right_ns - int(budget)) / NS_PER_MS


def described(off: npt.NDArray[np.float64]) -> str:
    """The figures of ``docs/deadlines.md``."""
    low, middle, high, most = np.percentile(off, [0, 50, 99, 100])
    return f"later by {middle:.1f} ms in the median, {high:.1f} ms at p99, {most:.1f} ms at most, {low:.1f} ms at least"


def _record(arrival_ns: int) -> RecordBatch:
    return RecordBatch(
        source=TopicPartition("trades", 0),
        offset=np.array([0]),
        timestamp_ns=np.array([-1]),
        key=[None],
        value=[b""],
        headers={},
        arrival_ns=arrival_ns,
        end_position=1,
    )


def main() -> None:
    """Print them."""
    recorded = clocks()
    ahead_ms = (recorded.event_ns - recorded.arrival_ns) / NS_PER_MS
    print(f"{len(ahead_ms):,} events, a budget of {BUDGET}")
    print(f"the exchange's clock is ahead by {ahead_ms.min():,.1f} to {ahead_ms.max():,.1f} ms")
    print(f"deadlines, beside those by a right clock: {described(off_ms())}")


if __name__ == "__main__":
    main()
