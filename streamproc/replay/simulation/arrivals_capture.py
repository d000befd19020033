"""Arrivals from a recording: when its records were consumed, and how much of their budget was left by then."""

from array import array
from pathlib import Path
from typing import Final

import numpy as np

from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError, Problem
from streamproc.replay.simulation.traffic import Traffic

EVENTS_MAX: Final = 20_000_000
"""More would not fit the memory of a small machine."""


def read_capture(
    path: Path, *, budget_ns: int, topics: tuple[str, ...], from_arrival: bool
) -> Traffic:
    """The records' arrivals; each counts as one event of its own key.

    Nothing is decoded: an event time or a deadline that is a field is not seen, the record's timestamp stands for it.

    Args:
        path: the recording.
        budget_ns: how long a decision may take.
        topics: those that the pipeline reads; all of the recording's where it has none of them.
        from_arrival: whether the budget counts from the arrival.

    Raises:
        ConfigError: it is no recording, has no records, or too many.
    """
    capture = CaptureReader(path)
    wanted = frozenset(topics) & set(capture.summary.topics)
    arrival, lag = array("q"), array("q")
    for batch in capture.records(wanted or None):
        count = len(batch)
        if len(arrival) + count > EVENTS_MAX:
            message = f"has more than {EVENTS_MAX:,} records: use streamproc replay, which holds few at a time"
            raise ConfigError(Problem(message, origin=str(path)))
        arrival.extend([batch.arrival_ns] * count)
        late_ns = np.where(batch.timestamp_ns < 0, 0, batch.arrival_ns - batch.timestamp_ns)
        lag.extend(np.maximum(late_ns, 0).tolist())
    if not arrival:
        raise ConfigError(Problem("holds no records", origin=str(path)))
    arrival_ns = np.maximum.accumulate(np.array(arrival, np.int64))
    deadline_ns = arrival_ns + budget_ns
    if not from_arrival:
        deadline_ns -= np.array(lag, np.int64)
    return Traffic(arrival_ns=arrival_ns, deadline_ns=deadline_ns)
