"""The tables of lookups: read from their files, or yet to be filled."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.core import ConfigError, Problem, load_function
from streamproc.engine import PythonFunction
from streamproc.features import AskedTable, Feature, KeyedNumbers, Table
from streamproc.features.operators import Lookup

ROWS_MAX = 1_000_000
"""Far more than what is looked up at the start of a process; what changes or is larger is a stream of its own."""


def make_tables(operators: Sequence[Feature], places: Sequence[int]) -> dict[str, Table]:
    """By the names of lookups, their tables; those of topics are empty until they are read.

    Args:
        operators: the pipeline's.
        places: where each stands in the list of features, for messages.

    Raises:
        ConfigError: a file cannot be read, or does not have what is looked up; or there is no such function.
    """
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for place, operator in zip(places, operators, strict=True):
        if isinstance(operator, Lookup):
            key = f"features[{place}].lookup"
            try:
                tables[operator.as_] = _made(operator, key)
            except (OSError, ValueError, csv.Error) as error:
                problems.append(Problem(f"{operator.file}: {error}", f"{key}.file"))
    if problems:
        raise ConfigError(*problems)
    return tables


def topic_lookups(config: PipelineConfig) -> Iterator[tuple[str, Lookup]]:
    """The lookups into compacted topics, each behind its key in the configuration."""
    if isinstance(config.features, PythonFunction):
        return
    for place, feature in enumerate(config.features):
        if isinstance(feature, Lookup) and feature.topic is not None:
            yield f"features[{place}].lookup", feature


def _made(lookup: Lookup, key: str) -> Table:
    if lookup.file is not None:
        return _read(lookup, Path(lookup.file))
    if lookup.python is None:
        return KeyedNumbers(len(lookup.fields), keys_max=lookup.max_keys)
    return AskedTable(
        load_function(lookup.python, key=f"{key}.python"),
        lookup.fields,
        keys_max=lookup.max_keys,
        ttl_ns=None if lookup.ttl is None else int(lookup.ttl),
    )


def _read(lookup: Lookup, path: Path) -> Table:
    table = KeyedNumbers(len(lookup.fields), keys_max=ROWS_MAX)
    column = str(lookup.key)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = {column, *lookup.fields} - set(reader.fieldnames or ())
        if missing:
            there = ", ".join(reader.fieldnames or ()) or "none"
            msg = f"has no column {', '.join(sorted(missing))}; there are {there}"
            raise ValueError(msg)
        for line in reader:
            value = line[column]
            if value in table:
                msg = f"line {reader.line_num}: {value!r} is there twice; keep one"
                raise ValueError(msg)
            if len(table) >= ROWS_MAX:
                msg = f"has more than {ROWS_MAX} lines"
                raise ValueError(msg)
            table.put(value, [_number(line, name, reader.line_num) for name in lookup.fields])
    return table


def _number(line: Mapping[str, str | None], name: str, number: int) -> float:
    try:
        found = float(line[name] or "")
    except ValueError:
        found = np.nan
    if not np.isfinite(found):
        msg = f"line {number}: {name} is {line[name]!r}, and must be a number"
        raise ValueError(msg)
    return found
