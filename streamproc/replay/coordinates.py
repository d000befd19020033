"""Where an event came from: what tells the same event of several recordings."""

from typing import NamedTuple

NO_ROW = -1
"""The row of an event that is a whole record."""


class Coordinates(NamedTuple):
    """Where an event came from.

    Attributes:
        topic: of its record.
        partition: of its record.
        offset: of its record.
        row: its row where the record holds several events; -1 where it is one.
    """

    topic: str
    partition: int
    offset: int
    row: int = NO_ROW

    def __str__(self) -> str:
        """As a decision's ``id`` has it."""
        whole = f"{self.topic}/{self.partition}/{self.offset}"
        return whole if self.row == NO_ROW else f"{whole}/{self.row}"

    @classmethod
    def parse(cls, text: str) -> "Coordinates":
        """Read ``ticks/0/17``, or ``ticks/0/17/3``.

        Raises:
            ValueError: it is neither.
        """
        topic, *rest = text.split("/")
        try:
            partition, offset, *row = map(int, rest)
        except ValueError:
            topic, partition, offset, row = "", 0, 0, []
        if not topic or len(row) > 1 or min(partition, offset, *row) < 0:
            msg = (
                f"{text!r} names no event: write TOPIC/PARTITION/OFFSET, such as ticks/0/17, and /ROW behind it "
                "where a record holds several"
            )
            raise ValueError(msg)
        return cls(topic, partition, offset, *row)
