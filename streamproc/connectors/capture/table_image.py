"""What a recorder knows of tables, so that each of its files can begin with all that they hold."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from streamproc.core import NS_PER_S, TableRows

_POLL_MAX_NS: Final = 60 * NS_PER_S
"""So long after they arrived records may be told of at most."""


@dataclass(slots=True)
class _Image:
    """One table.

    Attributes:
        told: the last rows that were taken in, for what they say of the table.
        rows: by key, the bytes of its numbers; those that were put there first in front.
        positions: by partition of the topic.
    """

    told: TableRows
    rows: dict[str, bytes] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)

    def take(self, rows: TableRows) -> None:
        if rows.part is not None and not rows.part.first:
            self.rows.clear()
        for key, there, numbers in zip(rows.keys, rows.there.tolist(), rows.numbers, strict=True):
            self.rows.pop(key, None)
            if there:
                if len(self.rows) >= rows.keys_max:
                    del self.rows[next(iter(self.rows))]
                self.rows[key] = numbers.tobytes()
        self.told = rows
        self.positions |= rows.positions

    def parts(self) -> Iterator[TableRows]:
        count, told = len(self.rows), self.told
        numbers = np.frombuffer(b"".join(self.rows.values()), np.float64).reshape(
            count, len(told.fields)
        )
        there = np.ones(count, np.bool_)
        held = replace(
            told, keys=list(self.rows), there=there, numbers=numbers, positions=dict(self.positions)
        )
        return held.parts()


class TableImages:
    """All tables of a recording, as the records that were written last saw them."""

    def __init__(self) -> None:
        self._images: dict[str, _Image] = {}
        self._waiting: deque[TableRows] = deque()

    def take(self, rows: TableRows) -> None:
        """Rows were recorded, or would have been."""
        self._waiting.append(rows)
        self.advance(rows.seen_ns - _POLL_MAX_NS)

    def advance(self, arrival_ns: int) -> None:
        """Records that arrived at an instant come next."""
        while self._waiting and self._waiting[0].seen_ns < arrival_ns:
            rows = self._waiting.popleft()
            image = self._images.get(rows.name)
            if image is None:
                if rows.part is None:
                    continue  # a change of nobody knows what
                image = self._images[rows.name] = _Image(rows)
            image.take(rows)

    def all_told(self) -> Iterator[TableRows]:
        """All that the tables hold, then what no record has seen yet."""
        for image in self._images.values():
            yield from image.parts()
        yield from self._waiting
