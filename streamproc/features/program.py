"""The operators of a pipeline, run over a batch: what they need is remembered, and what they make are columns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import (
    Array,
    BoolArray,
    Columns,
    ConfigError,
    Int64Array,
    ObjectArray,
    Problem,
    UserFunction,
    object_column,
)
from streamproc.features import looks
from streamproc.features.changes import Changes
from streamproc.features.expressions import Expression
from streamproc.features.history import Column, History
from streamproc.features.interval_joins import IntervalJoins
from streamproc.features.keys import KeyTable, Owner
from streamproc.features.operators import Cumulative, Custom, Formula, Interval, Lookup, Need, View
from streamproc.features.options import Feature, FeatureState
from streamproc.features.state_rows import StateRows
from streamproc.features.tables import Table

_PLACES_MAX = 1 << 17
"""Places of all windows of a batch that are worked on at once: with time and one field 2 MiB, of a processor's cache."""
_ROWS_MIN = 64
_CARRIED_MAX = 1 << 10
"""Events that are taken at once where something is carried from each to the next: a table of keys and steps has at most
a quarter of the square."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What a batch became.

    Attributes:
        columns: the decoded fields and all that the operators made.
        refused: bool [n] by reason, the events for which an operator found no value that it must have.
    """

    columns: Columns
    refused: Mapping[str, BoolArray]


class Program:
    """Runs operators in their order.

    Args:
        operators: each may take what those before it made.
        fields: the decoded fields.
        state: bounds of what is remembered.
        places: where each operator stands in the list of features, for messages; None for one after the other.
        load: False where the user's functions are not to be called, nor looked for.
        tables: what lookups look into, by their names.

    Attributes:
        fields: the decoded fields and those that the operators make.
        made: the names of the latter.
        made_by: the same by operator.
        reach_ns: how long before an event its features look, over all operators that follow each other; None for no
            bound.
        keyed: whether anything is remembered of keys.
        joins: what keeps the other side of interval joins; None where there are none.
        rows_max: the most events that ``advance`` should be given at once.
        tables: what lookups look into, by their names.
        bytes_a_key: what a key takes.
        keys_max: how many keys are remembered at once.
        rows: what is remembered of keys, as bytes.
        changes: whose state has changed; noted once ``note_changes`` was called.

    Raises:
        ConfigError: an operator does not fit; with all problems.
    """

    def __init__(
        self,
        operators: Sequence[Feature],
        *,
        fields: Mapping[str, FieldType],
        state: FeatureState,
        places: Sequence[int] | None = None,
        load: bool = True,
        tables: Mapping[str, Table] | None = None,
    ) -> None:
        self.tables: Mapping[str, Table] = tables or {}
        self._operators = tuple(operators)
        self._places = range(len(operators)) if places is None else places
        self.fields: dict[str, FieldType] = dict(fields)
        self.made: list[str] = []
        self.made_by: list[list[str]] = []
        self.reach_ns = self._bind(state)
        self._custom: dict[str, tuple[UserFunction, Columns]] = {}
        self._kept: dict[str, Columns] = {}
        for operator in self._operators:
            if isinstance(operator, Custom | Cumulative):
                kept = {
                    name: np.zeros((0, *kind.shape), kind.numpy)
                    for name, kind in operator.keeps.items()
                }
                self._kept[operator.kept_as] = kept
            if isinstance(operator, Custom):
                function = operator.load() if load else _not_loaded
                self._custom[operator.as_] = (function, self._kept[operator.kept_as])
        self._histories = _histories(self._operators, self.fields, state)
        self._expressions = self._compiled()
        intervals = [operator for operator in operators if isinstance(operator, Interval)]
        self.joins = None
        if intervals:
            self.joins = IntervalJoins(
                intervals,
                self._expressions,
                grace_ns=int(state.grace),
                bytes_max=int(state.max_bytes),
            )
        self.keyed = bool(self._histories) or any(self._kept.values())
        self.bytes_a_key = sum(h.bytes_a_key for h in self._histories.values()) + sum(
            column.dtype.itemsize * int(np.prod(column.shape[1:]))
            for kept in self._kept.values()
            for column in kept.values()
        )
        self.keys_max = min(
            state.max_keys, max(1, int(state.max_bytes) // max(1, self.bytes_a_key))
        )
        self.keys = KeyTable(keys_max=self.keys_max, emptied=self._forget, evicted=self._evicted)
        self.changes: Changes | None = None
        self.rows = StateRows(self._tables_of_keys, self._layout())
        self._capacity = 0
        depth = max((history.depth for history in self._histories.values()), default=1)
        self.rows_max = min(max(_ROWS_MIN, _PLACES_MAX // depth), self.keys_max)
        if any(isinstance(operator, Cumulative) for operator in self._operators):
            self.rows_max = min(self.rows_max, _CARRIED_MAX)

    def advance(
        self, columns: Columns, *, key: ObjectArray, time_ns: Int64Array, partition: int
    ) -> Advanced:
        """Take events in, and make their columns; where anything raises nothing is remembered.

        Args:
            columns: the decoded fields, each [n, ...].
            key: object [n], the events' keys.
            time_ns: int64 [n], when they happened.
            partition: whose they are.

        Raises:
            Exception: whatever the user's function raises.
        """
        n = len(key)
        columns = dict(columns)
        slot = self._slots(partition, key) if self.keyed else np.zeros(n, np.int64)
        for when, history in self._histories.items():
            entered = None if when is None else self._expressions[when].mask(columns, n)
            history.begin(slot, entered, time_ns)
        view = View(
            columns,
            key,
            time_ns,
            self._expressions,
            self._histories,
            slot,
            {},
            self.tables,
            self._custom,
            self._kept,
        )
        before = self._kept_of(slot)
        try:
            for operator in self._operators:
                columns.update(operator.compute(view))
        except Exception:
            for column, held, rows in before:
                column[rows] = held
            raise
        for history in self._histories.values():
            history.commit(columns)
        if self.changes is not None:
            self.changes.touched(slot)
        return Advanced(columns, view.refused)

    def arrived(self, columns: Columns, time_ns: Int64Array) -> Columns:
        """What events take with them that wait for their turn; see ``Lookup``."""
        lookups = (operator for operator in self._operators if isinstance(operator, Lookup))
        found = (one.arrived(columns, self.tables[one.as_], time_ns) for one in lookups)
        return {name: column for some in found for name, column in some.items()}

    @property
    def only_windows(self) -> bool:
        """Whether of keys nothing but the last events is remembered."""
        return bool(self._histories) and not any(self._kept.values())

    def newest_ns(self, slots: Int64Array) -> Int64Array:
        """When the newest remembered event of each slot happened (int64 [n]); for ``only_windows``."""
        return np.max([history.newest_ns(slots) for history in self._histories.values()], axis=0)  # type: ignore[no-any-return]

    def drop(self, partitions: Collection[int]) -> None:
        """Forget the keys of these partitions: they are another's now."""
        self.keys.drop(partitions)
        if self.joins is not None:
            for partition in partitions:
                self.joins.drop(partition)
        if self.changes is not None:
            self.changes.drop(partitions)

    @property
    def remembers(self) -> bool:
        """Whether what is made of an event depends on others."""
        return self.keyed or self.joins is not None

    def note_changes(self) -> Changes:
        """Note from now on whose state changes."""
        self.changes = self.changes or Changes(self.keys)
        return self.changes

    def recall(self, partition: int, rows: Mapping[bytes | None, bytes]) -> None:
        """Remember of a partition's keys what was packed of them; see ``StateRows``."""
        keys = list(rows)
        for start in range(0, len(keys), self.rows_max):
            some = keys[start : start + self.rows_max]
            slot = self._slots(partition, object_column(some))
            self.rows.unpack(slot, [rows[key] for key in some])
            if self.changes is not None:
                self.changes.written(slot)

    def _bind(self, state: FeatureState) -> int | None:
        """Let each operator say what it makes; gives how long before an event the furthest of them looks."""
        problems: list[Problem] = []
        reach_ns: dict[str, int | None] = {}
        for place, operator in zip(self._places, self._operators, strict=True):
            try:
                made = operator.outputs(self._known_to(operator))
                _require_new(made, self.fields)
                if (when := looks.when(operator)) is not None:
                    _condition(when, self.fields, self.made)
            except ValueError as error:
                problems.append(Problem(str(error), f"features[{place}]"))
                continue
            before = [reach_ns.get(name, 0) for name in looks.used(operator, self.fields)]
            own_ns, before_ns = looks.reach_ns(operator, state), looks.most(before)
            total = None if own_ns is None or before_ns is None else own_ns + before_ns
            reach_ns |= dict.fromkeys(made, total)
            self.fields |= made
            self.made += made
            self.made_by.append(list(made))
        if problems:
            raise ConfigError(*problems)
        return looks.most(reach_ns.values())

    def _known_to(self, operator: Feature) -> Mapping[str, FieldType]:
        """The columns that an operator may take: an interval join is made before all others."""
        if not isinstance(operator, Interval):
            return self.fields
        return {name: kind for name, kind in self.fields.items() if name not in self.made}

    @property
    def counts_events(self) -> bool:
        """Whether a window is bounded by a number of events alone."""
        needs = [operator.need for operator in self._operators]
        return any(need is not None and need.time_ns is None for need in needs)

    def _compiled(self) -> dict[str, Expression]:
        types = {name: str(kind) for name, kind in self.fields.items()}
        texts = {operator.of for operator in self._operators if isinstance(operator, Formula)}
        texts |= {
            when for operator in self._operators if (when := looks.when(operator)) is not None
        }
        return {text: Expression.parse(text, types) for text in texts}

    def _slots(self, partition: int, key: ObjectArray) -> Int64Array:
        slot = self.keys.slots(partition, key.tolist())
        if self.keys.capacity > self._capacity:
            self._capacity = self.keys.capacity
            for history in self._histories.values():
                history.grow(self._capacity)
            for kept in self._kept.values():
                for name, old in kept.items():
                    kept[name] = np.zeros((self._capacity, *old.shape[1:]), old.dtype)
                    kept[name][: len(old)] = old
        return slot

    def _kept_of(self, slot: Int64Array) -> list[tuple[Array, Array, Int64Array]]:
        """What operators keep of these slots beside histories, to be put back where one raises."""
        if not self._custom:
            return []
        rows = np.unique(slot)
        columns = [column for kept in self._kept.values() for column in kept.values()]
        return [(column, column[rows], rows) for column in columns]

    def _forget(self, slots: Int64Array) -> None:
        for history in self._histories.values():
            history.forget(slots)
        for kept in self._kept.values():
            for column in kept.values():
                column[slots] = 0
        if self.changes is not None:
            self.changes.emptied(slots)

    def _evicted(self, owners: Sequence[Owner]) -> None:
        if self.changes is not None:
            self.changes.evicted(owners)

    def _tables_of_keys(self) -> list[Array]:
        """All that is remembered of keys, each [slots, ...], always in one order."""
        histories = [table for history in self._histories.values() for table in history.tables()]
        return histories + [table for kept in self._kept.values() for table in kept.values()]

    def _layout(self) -> str:
        """What the bytes of a key mean, in words: with another text they mean something else."""
        histories = [f"{when}: {h.layout}" for when, h in self._histories.items()]
        return "\n".join(
            [
                *histories,
                *map(repr, (o for o in self._operators if isinstance(o, Custom | Cumulative))),
            ]
        )


def _histories(
    operators: Sequence[Feature], fields: Mapping[str, FieldType], state: FeatureState
) -> dict[str | None, History]:
    """One history for all operators that remember the same events."""
    needs: dict[str | None, list[Need]] = {}
    for operator in operators:
        if operator.need is not None:
            needs.setdefault(operator.need.when, []).append(operator.need)
    ttl_ns = None if state.ttl is None else int(state.ttl)
    return {
        when: History(
            depth=max(need.events for need in some),
            columns={
                name: Column(fields[name].shape, fields[name].dtype)
                for need in some
                for name in need.fields
            },
            ttl_ns=ttl_ns,
        )
        for when, some in needs.items()
    }


def _not_loaded(*_: object) -> object:
    msg = "the function was not loaded"
    raise RuntimeError(msg)


def _require_new(made: Collection[str], fields: Collection[str]) -> None:
    for name in made:
        if name in fields:
            msg = f"{name!r} is there already: give it another name with as"
            raise ValueError(msg)


def _condition(when: str, fields: Mapping[str, FieldType], made: Collection[str]) -> None:
    """Look at a condition: it is about the decoded fields, since it says what operators remember.

    Raises:
        ValueError: it is no condition, or about something else.
    """
    decoded = {name: str(kind) for name, kind in fields.items() if name not in made}
    if not Expression.parse(when, decoded).is_condition:
        msg = f"must be a condition, such as kind == 'quote', was a number: {when!r}"
        raise ValueError(msg)
