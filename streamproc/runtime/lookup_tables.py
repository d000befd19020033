"""The tables of lookups, read from their files."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from streamproc.core import ConfigError, Problem
from streamproc.features import Feature
from streamproc.features.operators import Lookup, Table

ROWS_MAX = 1_000_000
"""Far more than what is looked up at the start of a process; what changes or is larger is a stream of its own."""


def read_tables(operators: Sequence[Feature], places: Sequence[int]) -> dict[str, Table]:
    """By the names of lookups, their tables.

    Args:
        operators: the pipeline's.
        places: where each stands in the list of features, for messages.

    Raises:
        ConfigError: a file cannot be read, or does not have what is looked up.
    """
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for place, operator in zip(places, operators, strict=True):
        if isinstance(operator, Lookup):
            try:
                tables[operator.as_] = _read(operator)
            except (OSError, ValueError, csv.Error) as error:
                text = f"{operator.file}: {error}"
                problems.append(Problem(text, f"features[{place}].lookup.file"))
    if problems:
        raise ConfigError(*problems)
    return tables


def _read(lookup: Lookup) -> Table:
    rows: dict[str, int] = {}
    numbers: list[list[float]] = []
    with Path(lookup.file).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = {lookup.key, *lookup.fields} - set(reader.fieldnames or ())
        if missing:
            there = ", ".join(reader.fieldnames or ()) or "none"
            msg = f"has no column {', '.join(sorted(missing))}; there are {there}"
            raise ValueError(msg)
        for line in reader:
            value = line[lookup.key]
            if value in rows:
                msg = f"line {reader.line_num}: {value!r} is there twice; keep one"
                raise ValueError(msg)
            if len(rows) >= ROWS_MAX:
                msg = f"has more than {ROWS_MAX} lines"
                raise ValueError(msg)
            rows[value] = len(rows)
            numbers.append([_number(line, name, reader.line_num) for name in lookup.fields])
    numbers.append([lookup.fill] * len(lookup.fields))
    matrix = np.array(numbers, np.float64)
    return Table(rows, {name: matrix[:, place].copy() for place, name in enumerate(lookup.fields)})


def _number(line: Mapping[str, str | None], name: str, number: int) -> float:
    try:
        found = float(line[name] or "")
    except ValueError:
        found = np.nan
    if not np.isfinite(found):
        msg = f"line {number}: {name} is {line[name]!r}, and must be a number"
        raise ValueError(msg)
    return found
