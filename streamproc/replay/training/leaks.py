"""Leaks of the future into training data: what a feature could not have known when its event was decided."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.core import Array, RecordBatch
from streamproc.replay.playback import TableHistory
from streamproc.replay.training.features import FeatureRows, features_of, first_of, one_by_one

_EQUAL_MIN: Final = 50
"""Rows with a label in which a feature equals it, before that is no accident."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that came from the future.

    Attributes:
        what: the feature or label.
        events: how many events have it.
        first: the id of the first.
        why: how it shows, and what to do.
    """

    what: str
    events: int
    first: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why} ({self.events:,} events, the first {self.first})"


class LeakCount:
    """Counts the events that show a leak, by what leaks."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, what: str, why: str, ids: list[str]) -> None:
        """These events show it."""
        if ids:
            self._counts[what, why] += len(ids)
            self._first.setdefault((what, why), ids[0])

    def leaks(self) -> list[Leak]:
        """What was found."""
        return [
            Leak(what, count, self._first[what, why], why)
            for (what, why), count in self._counts.items()
        ]


def look_ahead(
    config: PipelineConfig,
    records: Callable[[], Iterable[RecordBatch]],
    *,
    records_max: int,
    tables: TableHistory | None = None,
) -> list[Leak]:
    """Features that depend on what came after their events.

    The first records are played twice: in the batches in which they came, and one by one. One by one there is no
    later event for a feature to look at; so where the two differ, it did.

    Args:
        config: the pipeline.
        records: reads the recording from its begin.
        records_max: how many records are looked at.
        tables: what lookups found; None where they look into nothing that changes.
    """
    alone: dict[str, dict[str, bytes]] = {}

    def keep(rows: FeatureRows) -> None:
        for place, name in enumerate(rows.ids()):
            inputs = rows.events.inputs.items()
            alone[name] = {key: array[place].tobytes() for key, array in inputs}

    features_of(config, lambda: one_by_one(first_of(records(), records_max)), keep, tables)
    found = LeakCount()
    why = (
        "it is another when the event comes alone, so it looks at events that come after it: "
        "take nothing of a batch but the event's own row and what came before"
    )

    def compare(rows: FeatureRows) -> None:
        names = rows.ids()
        for key, array in rows.events.inputs.items():
            differ = [
                name
                for place, name in enumerate(names)
                if alone.get(name, {}).get(key) != array[place].tobytes()
            ]
            found.add(f"feature {key}", why, differ)

    features_of(config, lambda: first_of(records(), records_max), compare, tables)
    return found.leaks()


class KnownAt:
    """Sees that what was joined to an event was known when it happened.

    Args:
        fields: decoded fields that tell when something was known, and their units in ns.
        found: takes what is found.
    """

    def __init__(self, fields: dict[str, int], found: LeakCount) -> None:
        self._fields = fields
        self._found = found

    def look(self, rows: FeatureRows) -> None:
        """Look at these events."""
        names: list[str] | None = None
        for name, unit_ns in self._fields.items():
            later = rows.events[name].astype(np.int64) * unit_ns > rows.events.event_time_ns
            if later.any():
                names = names or rows.ids()
                ids = [names[place] for place in np.flatnonzero(later).tolist()]
                why = "is later than its event: an as-of join took a partner out of the future"
                self._found.add(f"field {name}", why, ids)


class EqualToLabel:
    """Finds features that are a label themselves."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._same: dict[tuple[str, str], Array] = {}
        self._values: dict[str, tuple[float, float]] = {}
        self._first: dict[str, str] = {}

    def look(self, ids: list[str], inputs: dict[str, Array], labels: dict[str, Array]) -> None:
        """Look at rows that have labels.

        Args:
            ids: of the rows.
            inputs: the features, each [n, ...].
            labels: the labels that are numbers, each [n].
        """
        if not ids:
            return
        for label, values in labels.items():
            least, most = self._values.get(label, (np.inf, -np.inf))
            self._values[label] = (min(least, values.min()), max(most, values.max()))
            self._rows[label] += len(ids)
            self._first.setdefault(label, ids[0])
            for name, array in inputs.items():
                matrix = array.reshape(len(ids), -1)
                same = np.all(matrix == values.astype(matrix.dtype)[:, np.newaxis], axis=0)
                before = self._same.get((label, name))
                self._same[label, name] = same if before is None else before & same

    def leaks(self) -> list[Leak]:
        """What was found."""
        found = []
        for (label, name), same in self._same.items():
            least, most = self._values[label]
            if self._rows[label] < _EQUAL_MIN or least == most:
                continue
            for place in np.flatnonzero(same).tolist():
                what = f"feature {name}" + (f"[{place}]" if len(same) > 1 else "")
                why = f"is the label {label} itself: it was known only afterwards"
                found.append(Leak(what, self._rows[label], self._first[label], why))
        return found
