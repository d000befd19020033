"""What one output partition still has to send, and what of it the broker has not acknowledged."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamproc.connectors.kafka.raw_batches import RecordAppender
from streamproc.core import InvariantError, OutRecords, SendDone


@dataclass(slots=True, eq=False)
class Delivery:
    """One ``send``: done when all its pieces are acknowledged, or when one of them never will be."""

    done: SendDone
    pieces_open: int = 0
    finished: bool = False

    def acknowledged(self, now_ns: int) -> None:
        """One of its pieces is with the broker."""
        self.pieces_open -= 1
        if not self.pieces_open:
            self._finish(now_ns)

    def failed(self, error: Exception) -> None:
        """One of its pieces never will be."""
        self._finish(error)

    def _finish(self, result: int | Exception) -> None:
        if not self.finished:
            self.finished = True
            self.done(result)


@dataclass(slots=True)
class Piece:
    """Rows of one ``send`` in one batch of the producer."""

    delivery: Delivery
    records: OutRecords
    rows: Sequence[int]


@dataclass(slots=True, eq=False)
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
        parcels, rows = 0, piece.rows
        while rows:
            parcel = self.open or self._begin(new_builder())
            before = parcel.builder.size() if parcel.pieces else 0
            count = parcel.builder.append(piece.records, rows, timestamp_ms)
            if count:
                parcels += 1
                self._note(parcel, Piece(piece.delivery, piece.records, rows[:count]), before)
            elif not before:
                msg = (
                    f"an empty batch of {self.topic} takes no record: aiokafka is not as we know it"
                )
                raise InvariantError(msg)
            rows = rows[count:]
            if rows:
                self._set_aside(parcel)
        return parcels

    def next_parcel(self) -> Parcel | None:
        """The next parcel to send, closed; None when there is none."""
        if not self.waiting and self.open is not None:
            self._set_aside(self.open)
        return self.waiting.popleft() if self.waiting else None

    def _begin(self, builder: RecordAppender) -> Parcel:
        self.open = Parcel(builder)
        return self.open

    def _note(self, parcel: Parcel, piece: Piece, before: int) -> None:
        parcel.pieces.append(piece)
        grown = parcel.builder.size() - before
        parcel.bytes_total += grown
        self.bytes_total += grown

    def _set_aside(self, parcel: Parcel) -> None:
        parcel.builder.close()
        self.open = None
        if parcel.pieces:
            self.waiting.append(parcel)
