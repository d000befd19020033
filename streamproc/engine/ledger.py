"""The ledger: a small record for each partition and commit that says what became of which offsets.

It is for audits: whoever reads it beside the inputs knows of every one what became of it, also of those of which
nothing is sent (filtered ones, dropped ones). ``schemas/ledger.schema.json`` describes its records.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from streamproc.core import Int64Array, Outcome, OutRecords, Reason, TopicPartition
from streamproc.engine.partitions import Partition, PartitionTable

LEDGER_VERSION = 1
_RUNS_MAX = 20_000
"""Of offsets in one record: some 300 kB."""


class LedgerOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of some offsets.

    Attributes:
        outcome: the word.
        offsets: which, such as ``0-16,40``.
        reason: why; empty where there is no reason to give.
    """

    outcome: str
    offsets: str
    reason: str = ""


class LedgerRecord(msgspec.Struct, frozen=True):
    """What one commit says of one partition.

    Attributes:
        schema_version: of this form.
        pipeline: the pipeline's name.
        topic: of the inputs.
        partition: of the inputs.
        start: the position before.
        end: the position that is committed with it.
        outcomes: of all that became final, ``start`` to ``end`` and, with ``exactly_once``, beyond; what was told
            by an earlier commit is not told again.
    """

    schema_version: int
    pipeline: str
    topic: str
    partition: int
    start: int
    end: int
    outcomes: list[LedgerOutcome]


def decode_ledger(value: bytes) -> LedgerRecord:
    """Read a record of the ledger.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(value)


_DECODER = msgspec.json.Decoder(LedgerRecord)


@dataclass(slots=True)
class _Noted:
    """What is noted of one partition: offsets (int64 arrays) by outcome and reason."""

    start: int
    offsets: dict[tuple[str, str], list[Int64Array]] = field(default_factory=dict)


class Ledger:
    """Notes outcomes until the commit that covers them.

    Args:
        topic: where its records go.
        pipeline: the pipeline's name.
        partitions: the owned partitions.
    """

    def __init__(self, topic: str, pipeline: str, partitions: PartitionTable) -> None:
        self._topic = topic
        self._pipeline = pipeline
        self._partitions = partitions
        self._noted: dict[int, _Noted] = {}
        """By the partition's index."""

    def note(
        self, partition: Partition, ordinal: Int64Array, outcome: Outcome, reason: Reason | str
    ) -> None:
        """Records have an outcome (their ordinals, int64 [n], repeated for several events of one)."""
        noted = self._of(partition)
        offsets = partition.tracker.offsets(ordinal)
        noted.offsets.setdefault((outcome.word, str(reason)), []).append(offsets)

    def records(
        self, positions: Mapping[TopicPartition, int], *, whole: bool = False
    ) -> list[OutRecords]:
        """What is to be published before, or with, the commit of these positions; it is told once.

        Args:
            positions: by partition.
            whole: True to tell all that was noted, False what lies before the positions.
        """
        made = []
        for source, position in positions.items():
            partition = self._partitions.find(source)
            if partition is None:
                continue
            noted = self._of(partition)
            told, left = _split(noted.offsets, None if whole else position)
            values = self._values(source, noted.start, position, told)
            key = f"{source.topic}/{source.partition}".encode()
            made.append(
                OutRecords(self._topic, source, [key] * len(values), list(values), rekeyed=True)
            )
            self._noted[partition.index] = _Noted(position, left)
        owned = {partition.index for partition in self._partitions.all()}
        self._noted = {index: noted for index, noted in self._noted.items() if index in owned}
        return made

    def forget(self) -> None:
        """Nothing of what was noted will become final."""
        self._noted.clear()

    def _of(self, partition: Partition) -> _Noted:
        noted = self._noted.get(partition.index)
        if noted is None:
            noted = self._noted[partition.index] = _Noted(partition.begun.position)
        return noted

    def _values(
        self,
        source: TopicPartition,
        start: int,
        end: int,
        told: Mapping[tuple[str, str], Int64Array],
    ) -> list[bytes]:
        if sum(map(_runs, told.values())) > _RUNS_MAX:
            middle = int(np.median(np.concatenate(list(told.values()))))
            first = {key: offsets[offsets < middle] for key, offsets in told.items()}
            second = {key: offsets[offsets >= middle] for key, offsets in told.items()}
            cut = min(max(middle, start), end)
            return [
                *self._values(source, start, cut, first),
                *self._values(source, cut, end, second),
            ]
        outcomes = [
            LedgerOutcome(outcome, _text(offsets), reason)
            for (outcome, reason), offsets in told.items()
            if len(offsets)
        ]
        record = LedgerRecord(
            LEDGER_VERSION, self._pipeline, source.topic, source.partition, start, end, outcomes
        )
        return [msgspec.json.encode(record)]


def _split(
    offsets: Mapping[tuple[str, str], list[Int64Array]], position: int | None
) -> tuple[dict[tuple[str, str], Int64Array], dict[tuple[str, str], list[Int64Array]]]:
    """What lies before the position, each offset once, and the rest."""
    told: dict[tuple[str, str], Int64Array] = {}
    left: dict[tuple[str, str], list[Int64Array]] = {}
    for key, parts in offsets.items():
        joined = np.concatenate(parts)
        before = joined if position is None else joined[joined < position]
        told[key] = np.unique(before)
        if len(before) < len(joined):
            left[key] = [np.setdiff1d(joined, told[key])]
    return told, left


def _edges(offsets: Int64Array) -> tuple[Int64Array, Int64Array]:
    """The first and the last offset of each run."""
    cuts = np.flatnonzero(np.diff(offsets) != 1)
    return offsets[np.append(0, cuts + 1)], offsets[np.append(cuts, len(offsets) - 1)]


def _runs(offsets: Int64Array) -> int:
    return 1 + int(np.count_nonzero(np.diff(offsets) != 1))


def _text(offsets: Int64Array) -> str:
    firsts, lasts = _edges(offsets)
    pairs = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)
