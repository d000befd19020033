"""Writes what is remembered of keys into a changelog, a little at a time, beside the work.

State runs ahead of what is committed: an event changes it when it is read, and is done later. So a row says up to which
position it holds, and is written only once that position is committed. A pass writes the keys that changed since the
last one began, a few at a time as records are read; at its end a marker says that all changes before its beginning
are written. Who takes the partition over reads on from the marker, and passes over what a key's row holds already.
Databases call such a pass a fuzzy checkpoint.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import Int64Array, OutRecords, TopicPartition
from streamproc.engine.changelog_records import (
    Recalled,
    Stamp,
    marker_body,
    marker_key,
    row_key,
)
from streamproc.engine.feature_step import FeatureStep
from streamproc.engine.partitions import Partition, PartitionTable

_ROWS_MAX = 2_048
_CHUNK_BYTES = 256 << 10
"""Of rows that are packed between two batches of records, while nothing else is done: at 800 bytes and 2 us a row, 0.7 ms
(``python -m tests.benchmarks.changelog``)."""
_PENDING_BYTES_MAX = 32 << 20
"""Packed and not yet sent; with more, the pass waits."""
_SENT_BYTES_MAX = 2 << 20
"""In one transaction, about: the decisions that are in it wait until the broker has all of it."""
_NO_SLOTS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Records that may be sent once a position is committed."""

    position: int
    keys: list[bytes | None]
    values: list[bytes | None]

    @property
    def bytes_total(self) -> int:
        return sum(
            len(k or b"") + len(v or b"") for k, v in zip(self.keys, self.values, strict=True)
        )


@dataclass(slots=True)
class _Pass:
    """One partition's writing.

    Attributes:
        partition: whose.
        generation: of its records.
        position: up to where records were read.
        marked: the position of the last marker.
        due_ns: when the next pass may begin.
        marker: the position and the newest event's time at the beginning of the pass under way; None where none is.
        todo: int64, slots that the pass has still to look at.
        aging: int64, slots whose keys may be dead, that it has still to look at.
        pieces: what waits to be sent.
    """

    partition: Partition
    generation: int
    position: int
    marked: int
    due_ns: int = 0
    marker: tuple[int, int] | None = None
    todo: Int64Array = field(default_factory=_NO_SLOTS.copy)
    aging: Int64Array = field(default_factory=_NO_SLOTS.copy)
    pieces: deque[_Piece] = field(default_factory=deque)


class Changelog:
    """Says what is to be sent to the changelog topic.

    Args:
        topic: its name.
        step: remembers.
        partitions: the owned partitions.
        interval_ns: how often a pass begins.
        dead_ns: of a key whose newest event is more than this behind its partition's, no window can hold anything any
            more; it is deleted from the topic. None where keys do not end so.

    Attributes:
        recalled: what the topic said of partitions that are about to be assigned.
        records_total: records sent.
        bytes_total: their keys and values.
        read_total: records read when partitions were assigned.
        read_ns: how long that took the last time.
    """

    def __init__(
        self,
        topic: str,
        *,
        step: FeatureStep,
        partitions: PartitionTable,
        interval_ns: int,
        dead_ns: int | None = None,
    ) -> None:
        self.topic = topic
        self._step = step
        self._program = step.program
        self._changes = step.program.note_changes()
        self._partitions = partitions
        self._interval_ns = interval_ns
        self._dead_ns = dead_ns
        self._passes: dict[int, _Pass] = {}
        """By the partition's index."""
        self._pending_bytes = 0
        self._rows_max = max(1, min(_ROWS_MAX, _CHUNK_BYTES // max(1, self.bytes_a_row)))
        self.recalled: dict[TopicPartition, Recalled] = {}
        self.records_total = 0
        self.bytes_total = 0
        self.read_total = 0
        self.read_ns = 0

    @property
    def layout(self) -> int:
        """What the bytes of rows mean; see ``StateRows``."""
        return self._program.rows.layout

    @property
    def bytes_a_row(self) -> int:
        """Of each row."""
        return self._program.rows.bytes_a_row

    def begin(self, partition: Partition) -> None:
        """A partition is ours from now on: remember what was recalled of it."""
        recalled = self.recalled.pop(partition.source, None)
        if recalled is None:
            recalled = Recalled(partition.begun.position)
        self._step.recall(partition.index, recalled)
        started = _Pass(partition, recalled.generation, recalled.position, recalled.position)
        self._passes[partition.index] = started
        topic = partition.source.topic
        if recalled.stale:
            keys: list[bytes | None] = [row_key(topic, key) for key in recalled.stale]
            self._add(started, _Piece(recalled.position, keys, [None] * len(keys)))
        if not recalled.begun:  # else nobody would know from where on the state is to be read
            self._mark(started, recalled.position, recalled.newest_ns)

    def forget(self, partition: Partition) -> None:
        """A partition is ours no longer."""
        gone = self._passes.pop(partition.index, None)
        if gone is not None:
            self._pending_bytes -= sum(piece.bytes_total for piece in gone.pieces)

    def read_to(self, partition: Partition, position: int, now_ns: int) -> None:
        """All records of a partition before this position were read; goes on with its pass."""
        under_way = self._passes.get(partition.index)
        if under_way is not None:
            under_way.position = position
            self._go_on(under_way, now_ns)

    def go_on(self, now_ns: int) -> None:
        """Go on with all passes although nothing was read."""
        for under_way in self._passes.values():
            self._go_on(under_way, now_ns)

    @property
    def ready(self) -> bool:
        """Whether ``records`` would give any."""
        return any(self._sendable(under_way) for under_way in self._passes.values())

    def records(self) -> list[OutRecords]:
        """What may be sent now: before the next commit, or in its transaction; told once."""
        made = []
        before_bytes = self.bytes_total
        for under_way in self._passes.values():
            bounded = under_way.partition.covered is not None
            if bounded and self.bytes_total - before_bytes >= _SENT_BYTES_MAX:
                break
            pieces = list(self._sent(under_way, _SENT_BYTES_MAX if bounded else None))
            if pieces:
                keys = [key for piece in pieces for key in piece.keys]
                values = [value for piece in pieces for value in piece.values]
                made.append(OutRecords(self.topic, under_way.partition.source, keys, values))
                self.records_total += len(keys)
        return made

    def _sendable(self, under_way: _Pass) -> bool:
        return bool(under_way.pieces) and under_way.pieces[0].position <= self._reached(
            under_way.partition
        )

    def _sent(self, under_way: _Pass, bytes_max: int | None) -> Iterator[_Piece]:
        until = None if bytes_max is None else self.bytes_total + bytes_max
        while self._sendable(under_way) and (until is None or self.bytes_total < until):
            piece = under_way.pieces.popleft()
            self._pending_bytes -= piece.bytes_total
            self.bytes_total += piece.bytes_total
            yield piece

    def _reached(self, partition: Partition) -> int:
        """The position that is stored, or will be in the transaction that is about to be committed."""
        if partition.covered is not None:
            return partition.covered.position
        return self._partitions.stored(partition.source)

    def _go_on(self, under_way: _Pass, now_ns: int) -> None:
        partition = under_way.partition
        if under_way.marker is None and not self._begin_pass(under_way, now_ns):
            return
        if self._pending_bytes > _PENDING_BYTES_MAX:
            return
        some, under_way.todo = (
            under_way.todo[: self._rows_max],
            under_way.todo[self._rows_max :],
        )
        slots = self._changes.take(partition.index, some)
        if len(slots):
            stamp = self._stamp(under_way, under_way.position)
            values: list[bytes | None] = list(map(stamp.value, self._program.rows.pack(slots)))
            self._add(under_way, _Piece(under_way.position, self._keys(under_way, slots), values))
            self._changes.written(slots)
        self._bury(under_way)
        if not (len(under_way.todo) or len(under_way.aging)) and under_way.marker is not None:
            self._mark(under_way, *under_way.marker)
            under_way.marker = None

    def _bury(self, under_way: _Pass) -> None:
        """Delete some keys of which nothing can be seen any more; here they may stay, as long as there is room."""
        if self._dead_ns is None or not len(under_way.aging):
            return
        some = under_way.aging[: self._rows_max]
        under_way.aging = under_way.aging[self._rows_max :]
        index = under_way.partition.index
        since_ns = self._step.newest_ns(index) - self._dead_ns
        dead = some[self._program.newest_ns(some) < since_ns]
        gone = self._changes.take_written(index, dead)
        if len(gone):
            keys = self._keys(under_way, gone)
            self._add(under_way, _Piece(under_way.position, keys, [None] * len(keys)))

    def _keys(self, under_way: _Pass, slots: Int64Array) -> list[bytes | None]:
        """The topic's keys of slots."""
        topic, owner = under_way.partition.source.topic, self._program.keys.owner
        return [row_key(topic, owner(slot)[1]) for slot in slots.tolist()]

    def _begin_pass(self, under_way: _Pass, now_ns: int) -> bool:
        """Begin a pass where it is time, and there is anything to say."""
        partition = under_way.partition
        if now_ns < under_way.due_ns or under_way.pieces or partition.restoring:
            return False
        if under_way.position == under_way.marked:
            return False
        index, topic = partition.index, partition.source.topic
        under_way.due_ns = now_ns + self._interval_ns
        under_way.marker = (under_way.position, self._step.newest_ns(index))
        under_way.todo = self._changes.of(index)
        if self._dead_ns is not None:
            under_way.aging = self._changes.written_of(index)
        gone: list[bytes | None] = [row_key(topic, k) for k in self._changes.take_gone(index)]
        if gone:
            self._add(under_way, _Piece(under_way.position, gone, [None] * len(gone)))
        return True

    def _mark(self, under_way: _Pass, position: int, newest_ns: int) -> None:
        under_way.marked = position
        value = self._stamp(under_way, position).value(marker_body(newest_ns))
        keys: list[bytes | None] = [marker_key(under_way.partition.source.topic)]
        self._add(under_way, _Piece(position, keys, [value]))

    def _stamp(self, under_way: _Pass, position: int) -> Stamp:
        return Stamp(self.layout, under_way.generation, position)

    def _add(self, under_way: _Pass, piece: _Piece) -> None:
        under_way.pieces.append(piece)
        self._pending_bytes += piece.bytes_total
