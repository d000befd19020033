"""What a model carries for each key: a row of an array for each, gathered for a batch and put back behind it."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamproc.core import Array, Columns, Int64Array, StateSpec
from streamproc.engine.key_turns import NO_SLOT

_FIRST = 16


class CarriedRows:
    """The arrays.

    Args:
        specs: what is carried.

    Attributes:
        specs: the same.
        used: how many rows were ever given out; those that are free again are among them.
    """

    def __init__(self, specs: Sequence[StateSpec]) -> None:
        self.specs = tuple(specs)
        self._rows: dict[str, Array] = {
            spec.input: np.zeros((_FIRST, *spec.shape), spec.dtype) for spec in specs
        }
        self._capacity = _FIRST
        self._free: list[int] = []
        self.used = 0

    @property
    def bytes_a_key(self) -> int:
        """What one key takes."""
        return bytes_a_key(self.specs)

    def gather(self, slot: Int64Array) -> Columns:
        """The state for a batch, by the model's input.

        Args:
            slot: int64 [n], whose; ``NO_SLOT`` begins with zeros.

        Returns:
            arrays [n, ...] of their own.
        """
        empty = slot == NO_SLOT
        found: Columns = {}
        for name, rows in self._rows.items():
            taken = rows[np.where(empty, 0, slot)]
            taken[empty] = 0
            found[name] = taken
        return found

    def take_slot(self) -> int:
        """A row that nobody has."""
        if self._free:
            return self._free.pop()
        if self.used == self._capacity:
            self._grow()
        self.used += 1
        return self.used - 1

    def free(self, slots: Sequence[int]) -> None:
        """These rows belong to nobody any more."""
        self._free += slots

    @property
    def bytes(self) -> int:
        """What all of it takes."""
        return sum(rows.nbytes for rows in self._rows.values())

    def put(self, slot: Int64Array, outputs: Mapping[str, Array], rows: Int64Array) -> None:
        """Keep what a batch gave.

        Args:
            slot: int64 [m], where.
            outputs: the model's, by its output, each [n, ...].
            rows: int64 [m], which of them.
        """
        for spec in self.specs:
            self._rows[spec.input][slot] = outputs[spec.output][rows]

    def _grow(self) -> None:
        for name, rows in self._rows.items():
            grown = np.zeros((2 * self._capacity, *rows.shape[1:]), rows.dtype)
            grown[: self._capacity] = rows
            self._rows[name] = grown
        self._capacity *= 2


def bytes_a_key(specs: Sequence[StateSpec]) -> int:
    """What the state of one key takes in memory."""
    return sum(int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize for spec in specs)
