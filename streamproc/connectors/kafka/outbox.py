"""What one output partition still has to send, and what of it the broker has not acknowledged."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamproc.connectors.kafka.raw_batches import RecordAppender
from streamproc.core import OutRecords, SendDone


@dataclass(slots=True)
class Delivery:
    """One ``send``: done when all its pieces are acknowledged."""

    done: SendDone
    pieces_open: int


@dataclass(slots=True)
class Piece:
    """Rows of one ``send`` in one batch of the producer."""

    delivery: Delivery
    records: OutRecords
    rows: Sequence[int]


@dataclass(slots=True)
class Parcel:
    """A batch of the producer and whose rows it holds."""

    builder: RecordAppender
    pieces: list[Piece] = field(default_factory=list)
    bytes_total: int = 0
    sent_ns: int = 0


class Outbox:
    """The parcels of one output partition, in order: waiting, then unacknowledged.

    Args:
        topic: the output topic.
        partition: its partition.
    """

    __slots__ = (
        "bytes_total",
        "open",
        "partition",
        "running",
        "topic",
        "unacknowledged",
        "waiting",
    )

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.open: Parcel | None = None
        """The parcel that is being filled."""
        self.waiting: deque[Parcel] = deque()
        self.unacknowledged: deque[Parcel] = deque()
        self.running = False
        self.bytes_total = 0
        """Of all parcels, until they are acknowledged."""

    def take_all(self) -> list[Piece]:
        """Take back all pieces that are not acknowledged, in order."""
        parcels = [*self.unacknowledged, *self.waiting]
        if self.open is not None:
            parcels.append(self.open)
        self.unacknowledged.clear()
        self.waiting.clear()
        self.open = None
        return [piece for parcel in parcels for piece in parcel.pieces]

    def fill(
        self, piece: Piece, *, new_builder: Callable[[], RecordAppender], timestamp_ms: int
    ) -> int:
        """Append a piece's rows, beginning new parcels as they get full.

        Args:
            piece: what to send.
            new_builder: makes an empty batch of the producer.
            timestamp_ms: the records' timestamp.

        Returns:
            in how many parcels the rows lie.
        """
        records, rows = piece.records, piece.rows
        keys, values = records.key, records.value
        shared, own = list(records.headers), records.row_headers
        parcels, start, place = 0, 0, 0
        parcel = self.open or self._begin(new_builder())
        append, before = parcel.builder.append, parcel.builder.size()
        while place < len(rows):
            row = rows[place]
            headers = [*own[row], *shared] if own and row in own else shared
            if append(timestamp_ms, keys[row], values[row], headers):
                place += 1
                continue
            if place > start:
                parcels += 1
                self._close(parcel, Piece(piece.delivery, records, rows[start:place]), before)
                start = place
            self._set_aside(parcel)
            parcel = self._begin(new_builder())
            append, before = parcel.builder.append, 0
        if place > start:
            parcels += 1
            self._close(parcel, Piece(piece.delivery, records, rows[start:place]), before)
        return parcels

    def next_parcel(self) -> Parcel | None:
        """The next parcel to send, closed; None when there is none."""
        if not self.waiting and self.open is not None:
            self._set_aside(self.open)
        return self.waiting.popleft() if self.waiting else None

    def _begin(self, builder: RecordAppender) -> Parcel:
        self.open = Parcel(builder)
        return self.open

    def _close(self, parcel: Parcel, piece: Piece, before: int) -> None:
        parcel.pieces.append(piece)
        grown = parcel.builder.size() - before
        parcel.bytes_total += grown
        self.bytes_total += grown

    def _set_aside(self, parcel: Parcel) -> None:
        parcel.builder.close()
        self.open = None
        if parcel.pieces:
            self.waiting.append(parcel)
