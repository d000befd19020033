"""Expressions over decoded fields, ``symbol in ['BTCUSDT'] and size > 10``, for whole columns at once.

Python's syntax, a small part of it: nothing is called but ``abs``, ``min`` and ``max``, and nothing is run but
what is listed in ``expression_tree``.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np

from streamproc.core import Array, BoolArray, Columns, Float64Array
from streamproc.features.expression_tree import Node, parse


class Expression:
    """A compiled expression. Never raises on what is in the columns.

    What has no value is undefined: a field that is None or NaN, a division by zero, and what is calculated
    from one. A comparison with something undefined is False, but for ``!=`` and ``not in``, which are True,
    as Python has it of NaN. Whole numbers are compared exactly; calculated with in float64, where those above
    2^53 are rounded.
    """

    __slots__ = ("_node", "fields", "text")

    def __init__(self, text: str, node: Node, fields: frozenset[str]) -> None:
        self._node = node
        self.text = text
        self.fields = fields

    @classmethod
    def parse(cls, text: str, fields: Mapping[str, str]) -> Self:
        """Compile a text.

        Args:
            text: the expression.
            fields: the fields' types by name: ``str``, ``bool``, or a number type such as ``int64``.

        Raises:
            ValueError: it is no such expression; the message says where and what is allowed.
        """
        node, used = parse(text, fields)
        return cls(text, node, used)

    @property
    def is_condition(self) -> bool:
        """True where it says yes or no; False where it is a number."""
        return self._node.kind == "bool"

    def mask(self, columns: Columns, n: int) -> BoolArray:
        """Where it holds, bool [n]; a number holds where it is neither 0 nor undefined."""
        found = self._evaluate(columns)
        if self._node.kind != "bool":
            found = (found != 0) & ~np.isnan(found.astype(np.float64))
        return np.full(n, found, np.bool_) if found.ndim == 0 else np.array(found, np.bool_)

    def values(self, columns: Columns, n: int) -> Float64Array:
        """Its values, float64 [n]; 0 where undefined, and 1 or 0 for a condition."""
        found = np.array(self._evaluate(columns), np.float64)
        if found.ndim == 0:
            found = np.full(n, found)
        found[np.isnan(found)] = 0.0
        return found

    def _evaluate(self, columns: Columns) -> Array:
        with np.errstate(all="ignore"):
            return self._node.evaluate(columns)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"
