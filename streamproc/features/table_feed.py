"""What is known of tables by the time that events arrive: a change is seen by those alone that arrive after it.

So what an event gets follows from two instants, its arrival and the change's, and not from what the event loop did first:
a replay, which knows both, gives it the same.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from streamproc.core import TableRows
from streamproc.features.tables import KeyedNumbers


@dataclass(slots=True)
class FedTable:
    """A table that changes.

    Attributes:
        table: what events look into.
        told: rows that say whose it is, since when it is as it is, and up to where of its topic; without any keys.
    """

    table: KeyedNumbers
    told: TableRows

    @classmethod
    def of(
        cls, table: KeyedNumbers, name: str, topic: str, fields: tuple[str, ...], keys_max: int
    ) -> "FedTable":
        """A table that holds nothing yet."""
        told = TableRows(
            name=name,
            topic=topic,
            fields=fields,
            keys_max=keys_max,
            seen_ns=0,
            keys=(),
            there=np.zeros(0, np.bool_),
            numbers=np.zeros((0, len(fields))),
            positions={},
        )
        return cls(table, told)

    def apply(self, rows: TableRows) -> None:
        """Put rows in, and take keys out; the first part of all that there is begins the table anew."""
        table = self.table
        if rows.part is not None and not rows.part.first:
            table.clear()
        for key, there, numbers in zip(rows.keys, rows.there.tolist(), rows.numbers, strict=True):
            if there:
                table.put(key, numbers)
            else:
                table.remove(key)
        positions = {**self.told.positions, **rows.positions}
        self.told = replace(self.told, seen_ns=rows.seen_ns, positions=positions)

    def parts(self) -> Iterator[TableRows]:
        """All that it holds, those keys in front that would go first."""
        keys, numbers = self.table.contents()
        there = np.ones(len(keys), np.bool_)
        return replace(self.told, keys=keys, there=there, numbers=numbers).parts()


class TableFeed:
    """Changes wait here until what arrives may see them.

    Attributes:
        tables: by the names of lookups, what is changed.
    """

    def __init__(self, tables: dict[str, FedTable]) -> None:
        self.tables = tables
        self._waiting: deque[TableRows] = deque()

    def add(self, rows: TableRows) -> None:
        """A change was heard of; later ones have later instants."""
        self._waiting.append(rows)

    def advance(self, before_ns: int) -> None:
        """What was heard of before an instant is seen from now on."""
        while self._waiting and self._waiting[0].seen_ns < before_ns:
            rows = self._waiting.popleft()
            self.tables[rows.name].apply(rows)

    def begin(self, seen_ns: int) -> None:
        """All that was heard of is seen by the first event, and counts as one instant's."""
        self.advance(seen_ns + 1)
        for fed in self.tables.values():
            fed.told = replace(fed.told, seen_ns=seen_ns)

    def all_told(self) -> Iterator[TableRows]:
        """All that the tables hold, then what no event has seen yet."""
        for fed in self.tables.values():
            yield from fed.parts()
        yield from self._waiting
