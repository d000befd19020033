"""Rows of tables for tests."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamproc.core import PartOfAll, TableRows


def rows_of(
    changes: Mapping[str, float | None] | Sequence[tuple[str, float | None]],
    seen_ns: int,
    *,
    end: int,
    part: PartOfAll | None = None,
    name: str = "lookup",
    keys_max: int = 100,
) -> TableRows:
    """Changes of a table with one number a key; None takes the key out.

    Args:
        changes: by key.
        seen_ns: what arrives later sees them.
        end: up to where of the topic's only partition.
        part: of what they are a part.
        name: the lookup.
        keys_max: how many keys the table holds.
    """
    pairs = list(changes.items() if isinstance(changes, Mapping) else changes)
    return TableRows(
        name=name,
        topic="profiles",
        fields=("weight",),
        keys_max=keys_max,
        seen_ns=seen_ns,
        keys=[key for key, _ in pairs],
        there=np.array([number is not None for _, number in pairs], np.bool_),
        numbers=np.array([[number or 0.0] for _, number in pairs]).reshape(-1, 1),
        positions={0: end},
        part=part,
    )


def all_of(table: Mapping[str, float], seen_ns: int, *, end: int) -> TableRows:
    """All that a table holds."""
    return rows_of(dict(table), seen_ns, end=end, part=PartOfAll(0, len(table)))
