"""What a recording tells of the machine that it was made on: how long batches and sendings took."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np

from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError, Int64Array
from streamproc.engine import Beginning, Call, Entry
from streamproc.engine.schedule_log import LISTS, NUMBERS, TIMED
from streamproc.runtime import Sweep
from streamproc.scheduling import LatencyModel

_ENTRIES_MAX: Final = 64
"""Of the log, half a million calls: enough to know the machine by."""
_SENDS_MAX: Final = 4_096
_SCHEDULE_VERSION: Final = 1


def schedule_of(capture: CaptureReader) -> Iterator[Entry]:
    """The schedule log; what is damaged ends it.

    Raises:
        ConfigError: it is of a version that this release does not read.
    """
    for found in capture.schedule():
        if found.version != _SCHEDULE_VERSION:
            msg = (
                f"the recording's schedule log is of version {found.version}; this release reads version "
                f"{_SCHEDULE_VERSION}: use --clock virtual"
            )
            raise ConfigError(msg)
        try:
            yield Entry.decode(found.data)
        except ValueError:
            return


def recorded_sweeps(entries: Iterable[Entry]) -> tuple[Sweep, ...] | None:
    """How long batches took, by variant: what was measured at the start, corrected by what was run since.

    Returns:
        None where there is no log.
    """
    beginning: Beginning | None = None
    models: list[LatencyModel] = []
    started: dict[int, tuple[int, int, int]] = {}
    for entry in islice(entries, _ENTRIES_MAX):
        if beginning is None:
            if entry.begins is None:
                return None
            beginning = entry.begins
            models = [
                LatencyModel(size, run_ns, size_max=size[-1]) for size, run_ns in beginning.sweeps
            ]
        for call, at_ns, numbers in _calls(entry):
            if call is Call.RUN:
                run, size, variant = numbers
                started[run] = (at_ns, size, variant)
            elif call is Call.COMPLETED and numbers[0] in started:
                began_ns, size, variant = started.pop(numbers[0])
                models[variant].observe(size, max(1, at_ns - began_ns))
            elif call in (Call.FAILED, Call.RESCUED):
                started.pop(numbers[0], None)
    if beginning is None:
        return None
    return tuple((range(1, len(m.run_ns) + 1), m.run_ns.tolist()) for m in models)


def recorded_sends_ns(capture: CaptureReader) -> Int64Array | None:
    """How long sendings took, int64 [n]; None where that was not recorded."""
    took = (
        columns.acknowledged_ns - columns.handed_ns
        for columns in capture.outcomes()
        if columns.handed_ns is not None
    )
    found = np.fromiter(islice(took, _SENDS_MAX), np.int64)
    return np.maximum(found, 0) if found.size else None


def _calls(entry: Entry) -> Iterator[tuple[Call, int, list[int]]]:
    """The entry's calls, each with the last instant that was told, and its numbers."""
    instants, numbers = iter(entry.instants_ns.tolist()), iter(entry.numbers.tolist())
    at_ns = 0
    for code in entry.calls:
        call = Call(code)
        if call in TIMED:
            at_ns = next(instants)
        count = NUMBERS.get(call)
        if count is None:
            fixed, each = LISTS[call]
            count = fixed + each * next(numbers)
        yield call, at_ns, list(islice(numbers, count))
