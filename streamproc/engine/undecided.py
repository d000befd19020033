"""What becomes of events that are not decided: they are given up, or they cannot be events."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby

import numpy as np

from streamproc.core import EventBatch, Int64Array, Outcome, Reason, RecordBatch
from streamproc.engine.conclude import Concluder
from streamproc.engine.effects import Effect
from streamproc.engine.lanes import lane_of
from streamproc.engine.letters import Originals
from streamproc.engine.partitions import Partition
from streamproc.engine.passages import passage_of_events, passage_of_records
from streamproc.engine.rejected import Rejected, in_order
from streamproc.telemetry import UNKNOWN


class Undecided:
    """Concludes what is not decided.

    Args:
        concluder: makes what is sent.
        lanes: how many there are: of several, that of an event which is not decoded is unknown.
    """

    def __init__(self, concluder: Concluder, *, lanes: int) -> None:
        self._concluder = concluder
        self._no_lane = UNKNOWN if lanes > 1 else 0

    def events(
        self,
        events: EventBatch,
        reason: Reason,
        outcome: Outcome = Outcome.SHED,
        detail: str = "",
    ) -> list[Effect]:
        """Events of one partition are given up."""
        return self._concluder.letters(
            int(events.partition[0]),
            Originals.of(events, detail),
            events.ordinal,
            row=events.row,
            lane=lane_of(events),
            outcome=outcome,
            reason=reason,
            passage=partial(passage_of_events, events),
        )

    def records(
        self,
        partition: Partition,
        batch: RecordBatch,
        record: Int64Array,
        ordinal: int,
        reason: Reason,
    ) -> list[Effect]:
        """Records of a fetched batch are given up before they are decoded."""
        return self._concluder.letters(
            partition.index,
            Originals.of_records(batch, record),
            record + ordinal,
            row=None,
            lane=self._no_lane,
            outcome=Outcome.SHED,
            reason=reason,
            passage=partial(passage_of_records, batch, record, None),
        )

    def rejected(
        self,
        partition: Partition,
        batch: RecordBatch,
        rejected: Sequence[Rejected],
        ordinal: int,
    ) -> list[Effect]:
        """Dead letters, in the order of their records; neighbours of one reason together."""
        effects: list[Effect] = []
        for reason, alike in groupby(in_order(rejected), key=lambda some: some.error.reason):
            some = list(alike)
            records = [
                Originals.of_records(batch, one.record, one.row, one.error.detail) for one in some
            ]
            record, row = np.concatenate([one.record for one in some]), _rows_of(some)
            effects += self._concluder.letters(
                partition.index,
                Originals.joined(records),
                record + ordinal,
                row=row,
                lane=self._no_lane,
                outcome=Outcome.DEAD_LETTER,
                reason=reason,
                passage=partial(passage_of_records, batch, record, row),
            )
        return effects


def _rows_of(rejected: Sequence[Rejected]) -> Int64Array | None:
    """The rows of rejected events (int64 [n], -1 for a whole record); None where all are whole records."""
    if all(some.row is None for some in rejected):
        return None
    whole = np.array([-1])
    return np.concatenate([whole if some.row is None else some.row for some in rejected])
