"""The source that plays a recording or JSON lines."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streamproc.connectors.capture import (
    CaptureReader,
    JsonLines,
    LineForm,
    TimeUnit,
    open_lines,
)
from streamproc.connectors.files.options import CaptureSource, FileSource
from streamproc.connectors.playback import Playback, PlayedSource, Records, arrivals
from streamproc.core import Clock, ConfigError, Problem, RecordBatch

log = logging.getLogger(__name__)


class EventTimes(NamedTuple):
    """Where an event says when it happened.

    Attributes:
        field: its dotted path; None where it does not say.
        unit: of the number there.
    """

    field: str | None
    unit: TimeUnit


def played_source(
    options: CaptureSource | FileSource, times: EventTimes, *, clock: Clock
) -> PlayedSource:
    """What plays it, from its begin.

    Args:
        options: what the user set.
        times: of events in lines.
        clock: the pipeline's time.

    Raises:
        ConfigError: it cannot be read, or has no such topic.
    """
    records = _recorded(options) if isinstance(options, CaptureSource) else _written(options, times)
    unbounded = options.speed == "max"
    playback = Playback(speed=1.0 if options.speed == "max" else options.speed)
    return PlayedSource(arrivals(records, playback), clock=clock, unbounded=unbounded)


def _recorded(options: CaptureSource) -> Records:
    capture = CaptureReader(options.path)
    if capture.summary.truncated:
        log.warning("%s is cut, and is played as far as it goes", options.path)
    there = capture.summary.topics
    if missing := sorted(set(options.topics) - set(there)):
        msg = (
            f"{missing[0]!r} is not in the recording, which has {', '.join(there) or 'no records'}"
        )
        raise ConfigError(Problem(msg, "source.capture.topics"))
    topics = frozenset(options.topics) or None
    return lambda: capture.records(topics)


def _written(options: FileSource, times: EventTimes) -> Records:
    path = Path(options.path)
    form = LineForm(
        options.topics[0],
        time=times.field,
        event_unit=times.unit,
        per_second=options.rate,
        forgiving=True,
    )

    def read() -> Iterator[RecordBatch]:
        with open_lines(path) as lines:
            yield from JsonLines(form, str(path)).batches(lines)

    return read
