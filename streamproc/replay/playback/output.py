"""What comes out of a replay, written as a recording: decisions and outcomes, as a live run's are."""

from dataclasses import replace

import numpy as np

from streamproc.connectors.capture import (
    UNKNOWN_LANE,
    CaptureMetadata,
    CaptureReader,
    CaptureWriter,
    OutcomeColumns,
    RecordedDecision,
    RecordedModel,
)
from streamproc.core import BoolArray, Int64Array, ModelInfo, Outcome, TopicPartition
from streamproc.engine import Send, Settled, Settlement
from streamproc.runtime import Assembly
from streamproc.telemetry import UNKNOWN


class CaptureOutput:
    """Writes a replay's decisions and outcomes.

    Args:
        writer: takes them.
    """

    def __init__(self, writer: CaptureWriter) -> None:
        self._writer = writer
        self._settlement: Settlement | None = None
        self._lanes: tuple[str, ...] = ()
        self._variants: tuple[str, ...] = ()

    def attach(self, assembly: Assembly, models: tuple[ModelInfo, ...]) -> None:
        """Watch a replay.

        Args:
            assembly: the pipeline's parts.
            models: what decides, the best one's first.
        """
        self._settlement = assembly.settlement
        self._lanes = assembly.accounts.lanes
        self._variants = tuple(model.variant for model in models)
        assembly.settlement.observer = self._ended

    def sent(self, send: Send, now_ns: int) -> None:
        """Records were handed to the broker."""
        if self._settlement is None:
            return
        settled, offset = self._settlement.opened(send.ticket)
        records, count = send.records, len(send.records)
        offsets: list[int] | list[None] = [None] * count  # one record tells of several events
        rows: list[int] = [-1] * count
        if len(offset) == count:
            offsets = offset.tolist()
            rows = rows if settled.row is None else settled.row.tolist()
        lanes = np.broadcast_to(settled.lane, len(offset)).tolist()
        variant = self._variants[settled.decided.variant] if settled.decided is not None else ""
        self._writer.decisions(
            RecordedDecision(
                now_ns,
                records.topic,
                records.source,
                offsets[place],
                None if rows[place] < 0 else rows[place],
                settled.outcome,
                str(settled.reason),
                "" if lanes[place] < 0 else self._lanes[lanes[place]],
                variant,
                records.key[place],
                records.value[place],
                [*records.headers, *records.row_headers.get(place, ())],
            )
            for place in range(count)
        )

    def _ended(
        self,
        source: TopicPartition,
        offset: Int64Array,
        settled: Settled,
        missed: BoolArray,
        final_ns: int,
    ) -> None:
        decided = settled.decided
        outcome = np.where(missed, np.uint8(Outcome.LATE), np.uint8(settled.outcome))
        lane = settled.lane
        columns = OutcomeColumns(
            source=source,
            offset=offset,
            outcome=outcome,
            acknowledged_ns=final_ns,
            row=settled.row,
            reason=str(settled.reason),
            lane=UNKNOWN_LANE if isinstance(lane, int) and lane == UNKNOWN else lane,
        )
        if decided is not None:
            events = decided.events
            columns = replace(
                columns,
                variant=decided.variant,
                event_time_ns=events.event_time_ns,
                arrival_ns=events.arrival_ns,
                admitted_ns=events.admitted_ns,
                deadline_ns=events.deadline_ns,
                started_ns=decided.started_ns,
                decided_ns=decided.decided_ns,
                handed_ns=decided.handed_ns,
            )
        self._writer.outcomes(columns)


def output_metadata(
    capture: CaptureReader,
    *,
    pipeline: str,
    configuration: str,
    models: tuple[ModelInfo, ...],
    lanes: tuple[str, ...],
) -> CaptureMetadata:
    """What a replay's recording says of itself.

    Args:
        capture: what is replayed.
        pipeline: its name.
        configuration: the text of its file, without secrets.
        models: what decides, the best one's first.
        lanes: the names of its lanes.
    """
    return CaptureMetadata(
        pipeline=pipeline,
        recorded_by="replay",
        configuration=configuration,
        models=tuple(map(RecordedModel.of, models)),
        lanes=lanes,
        machine=capture.metadata.machine,
        source=capture.metadata.source,
        recording=f"replay of {capture.metadata.recording}",
    )
