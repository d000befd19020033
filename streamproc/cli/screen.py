"""Where output goes: results to stdout, and with ``--json`` only the one object."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 120
"""Columns where the output is no terminal: tables are cut to the width otherwise."""


def result_console(*, as_json: bool) -> Console:
    """Where a command's result for people goes: stdout, unless that belongs to the JSON object."""
    return _console(stderr=as_json)


def notes_console() -> Console:
    """Where a command talks about what it is doing: stderr."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False)


def line(console: Console, text: str, style: str = "") -> None:
    """One line as it is: no markup, no wrapping."""
    console.print(Text(text, style=style), soft_wrap=True)


def table(*columns: str, title: str = "") -> Table:
    """A plain table; all columns but the first and last are numbers."""
    made = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    for place, name in enumerate(columns):
        numbers = 0 < place < len(columns) - 1 or (place == 1 and len(columns) == 2)  # noqa: PLR2004
        made.add_column(name, justify="right" if numbers else "left", overflow="fold")
    return made


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """The one object."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
