"""A recording as one side of a comparison."""

from collections.abc import Iterator
from itertools import repeat

from streamproc.connectors.capture import CaptureReader, OutcomeColumns
from streamproc.core import NS_PER_S, Outcome
from streamproc.replay.coordinates import NO_ROW, Coordinates
from streamproc.replay.diff.ended import DecisionRow, OutcomeRow, Side

_WORDS = [outcome.word for outcome in Outcome]
_DECIDED = (Outcome.ON_TIME, Outcome.DEGRADED, Outcome.LATE)


class Captured:
    """What a recording tells.

    Args:
        reader: the recording, open.
    """

    def __init__(self, reader: CaptureReader) -> None:
        self._reader = reader

    def outcomes(self) -> Iterator[OutcomeRow]:
        """See ``Told``."""
        for columns in self._reader.outcomes():
            yield from _rows(columns)

    def decisions(self) -> Iterator[DecisionRow]:
        """See ``Told``; of a letter only that it was one: its value is the input's."""
        for one in self._reader.decisions():
            if one.offset is not None:
                row = NO_ROW if one.row is None else one.row
                at = Coordinates(one.source.topic, one.source.partition, one.offset, row)
                value = one.value if one.outcome in _DECIDED else None
                yield DecisionRow(at, one.outcome.word, value, one.reason)


def side_of(name: str, reader: CaptureReader) -> Side:
    """A recording as one side.

    Args:
        name: of the file, as it was given.
        reader: the recording, open.
    """
    told = reader.metadata
    facts = {
        "pipeline": told.pipeline,
        "recorded by": told.recorded_by,
        "streamproc": told.version,
        **{f"model {one.variant}": one.digest for one in told.models},
        **told.machine,
    }
    gaps = [
        f"from {gap.start_ns / NS_PER_S:.3f} s to {gap.end_ns / NS_PER_S:.3f} s something is missing ({gap.reason}): "
        + ", ".join(f"{number:,} {kind}" for kind, number in gap.dropped.items())
        for gap in reader.gaps()
    ]
    truncated = reader.summary.truncated
    return Side(
        name,
        Captured(reader),
        facts={key: text for key, text in facts.items() if text},
        gaps=[*gaps, *([truncated] if truncated else [])],
    )


def _rows(columns: OutcomeColumns) -> Iterator[OutcomeRow]:
    topic, partition = columns.source
    rows = repeat(NO_ROW) if columns.row is None else columns.row.tolist()
    latencies = (
        repeat(None)
        if columns.event_time_ns is None
        else (columns.acknowledged_ns - columns.event_time_ns).tolist()
    )
    for offset, row, code, latency_ns in zip(
        columns.offset.tolist(), rows, columns.outcome.tolist(), latencies, strict=False
    ):
        at = Coordinates(topic, partition, offset, row)
        yield OutcomeRow(at, _WORDS[code], columns.reason, latency_ns)
