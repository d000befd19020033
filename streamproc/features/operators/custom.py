"""The user's own operator: a function over columns, with keyed state handed to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Array, Columns, Duration, Int64Array, UserFunction, load_function
from streamproc.features.operators.operator import Need, View


@dataclass(frozen=True, slots=True)
class KeyedBatch:
    """What the user's operator is given: events in order of arrival, and what it keeps of their keys.

    Attributes:
        columns: the decoded fields and what operators before it made, each [n, ...]; ``batch["price"]`` for short.
        time_ns: int64 [n], when the events happened.
        slot: int64 [n], the row of each event's key in the arrays of ``state``.
        state: by name, an array [keys, ...] that may be changed in the rows of ``slot``, and is 0 for a new key.
    """

    columns: Columns
    time_ns: Int64Array
    slot: Int64Array
    state: Columns

    def __len__(self) -> int:
        return len(self.slot)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def rounds(self) -> Iterator[Int64Array]:
        """Rows (int64) of the events that are the first of their key in the batch, then of the second ones, and so on.

        In a round no key is there twice, so ``state["n"][batch.slot[rows]] += 1`` does what it says.
        """
        order = np.argsort(self.slot, kind="stable")
        ordered = self.slot[order]
        first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        rank = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
        by_rank = np.argsort(rank, kind="stable")
        bounds = np.searchsorted(rank[by_rank], np.arange(int(rank.max(initial=-1)) + 2))
        for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            yield np.sort(order[by_rank[start:stop]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """The user's own operator: ``function(batch, **options)``, a ``KeyedBatch`` in, one array [n, ...] out.

    It must be a function of the events and of the state alone, the state of a key being a function of the key's
    events in their order: then batches may be cut in any way. Where it raises, its state is as before the call.

    Attributes:
        python: where it is, as ``package.module:name``.
        as_: the name of what it makes.
        type: the type of that, such as ``float64`` or ``float64[8]``.
        state: what it keeps of each key, by name, with the type, such as ``{seen: int64}``.
        remembers: how far back in time its state looks; null for all that ever was, which no rewinding restores.
        options: keyword arguments that it is called with.
    """

    python: str
    as_: str
    type: str = "float64"
    state: Mapping[str, str] = field(default_factory=dict)
    remembers: Duration | None = None
    options: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        for text in (self.type, *self.state.values()):
            if FieldType.parse(text).dtype == "str":
                msg = "types must be of numbers"
                raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """No history; its keyed state is its own."""
        return None

    @property
    def keeps(self) -> Mapping[str, FieldType]:
        """What it keeps of each key."""
        return {name: FieldType.parse(text) for name, text in self.state.items()}

    @property
    def kept_as(self) -> str:
        """By which name the view has it."""
        return self.as_

    def load(self) -> UserFunction:
        """The function.

        Raises:
            ConfigError: there is none.
        """
        return load_function(self.python, key="features")

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:  # noqa: ARG002
        """See ``Operator``."""
        return {self.as_: FieldType.parse(self.type)}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        function, state = view.custom[self.as_]
        made = np.asarray(
            function(
                KeyedBatch(view.columns, view.time_ns, view.slot, state), **(self.options or {})
            )
        )
        kind = FieldType.parse(self.type)
        if made.shape != (len(view), *kind.shape):
            msg = (
                f"{self.python} gave the shape {list(made.shape)} for {len(view)} events of {kind}"
            )
            raise ValueError(msg)
        return {self.as_: made.astype(kind.numpy, copy=False)}
