"""What a lookup's table holds, and how it changes: the words between what follows its topic, what looks into it, and recordings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from streamproc.core.arrays import BoolArray, Float64Array

ROWS_MAX: Final = 1_024
"""Of one part of all that a table holds: some tens of kilobytes."""


class PartOfAll(NamedTuple):
    """Says that rows are all that a table holds, or a part of that.

    Attributes:
        first: the place of the first of them; 0 begins the table anew.
        total: how many there are in all parts.
    """

    first: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableRows:
    """Rows that are put into a table, and keys that are taken out, one after the other.

    Attributes:
        name: the lookup's (``as``).
        topic: where they come from.
        fields: what the numbers are.
        keys_max: how many keys the table holds; of more, those that were put there first go.
        seen_ns: what arrives later sees them; the pipeline's timeline.
        keys: n keys.
        there: bool [n], False for those that are taken out.
        numbers: float64 [n, fields], whatever for those that are taken out.
        positions: by partition of the topic, behind which record the table is then.
        part: of what these are a part; None for a change.
    """

    name: str
    topic: str
    fields: tuple[str, ...]
    keys_max: int
    seen_ns: int
    keys: Sequence[str]
    there: BoolArray
    numbers: Float64Array
    positions: Mapping[int, int]
    part: PartOfAll | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def parts(self) -> Iterator["TableRows"]:
        """All that a table holds, in parts of a bounded size; one where it is empty."""
        total = len(self)
        for first in range(0, max(total, 1), ROWS_MAX):
            rows = slice(first, first + ROWS_MAX)
            yield replace(
                self,
                keys=self.keys[rows],
                there=self.there[rows],
                numbers=self.numbers[rows],
                part=PartOfAll(first, total),
            )


class ChangingTables(Protocol):
    """What lookups look into, where that changes."""

    def advance(self, before_ns: int) -> None:
        """Let events see what was known before an instant."""
        ...


@dataclass(slots=True)
class _Seen:
    """How far one table was seen.

    Attributes:
        positions: by partition of its topic.
        whole: whether all parts were there of what it held last.
        repeats: whether those that come now were there before.
    """

    positions: dict[int, int]
    whole: bool = False
    repeats: bool = False


class TablesSeen:
    """How far of its topic each table was seen, to know what comes again.

    Several recordings of one pipeline tell of one topic (of workers, or of runs one after the other), and each file of one
    begins with all that the table holds.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def is_new(self, rows: TableRows) -> bool:
        """Whether rows tell of more than those before them; they are remembered."""
        seen = self._seen.get(rows.name)
        if seen is None:
            if rows.part is None or rows.part.first:
                return False  # a part of nobody knows what
            seen = self._seen[rows.name] = _Seen({})
        known = all(seen.positions.get(part, -1) >= end for part, end in rows.positions.items())
        if rows.part is None:
            again = known
        else:
            if not rows.part.first:
                seen.repeats = seen.whole and known
                seen.whole = seen.repeats
            again = seen.repeats
            seen.whole = seen.whole or rows.part.first + len(rows) == rows.part.total
        if not again:
            seen.positions |= rows.positions
        return not again
