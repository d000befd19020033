"""Rules and their unit tests as files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from streamproc.core import ExternalError
from streamproc.slo import Objective, rules_of, unit_tests_of, yaml_text

_MATCHERS = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"\s*(,|$)')
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_HEAD = "# Made by streamproc slo rules: change the objectives instead.\n"


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one objective; a file of unit tests runs all rules of its file, so that each has its own.

    Attributes:
        slo: its name.
        rules: the rules.
        tests: their unit tests.
    """

    slo: str
    rules: Path
    tests: Path


def labels_of(selector: str) -> dict[str, str]:
    """Read ``job="ticks",env="prod"``: unit tests must give their series what the rules select.

    Raises:
        BadParameter: it is no such list.
    """
    found, place = {}, 0
    while place < len(selector):
        match = _MATCHERS.match(selector, place)
        if match is None:
            msg = f"""--selector {selector!r}: write NAME="VALUE", several with commas, such as job="ticks\""""
            raise typer.BadParameter(msg)
        found[match[1]] = match[2]
        place = match.end()
    return found


def as_text(pipeline: str, objectives: Sequence[Objective], selector: str) -> str:
    """All rules as one file."""
    return _HEAD + yaml_text(rules_of(pipeline, objectives, selector))


def write(
    folder: Path,
    pipeline: str,
    objectives: Sequence[Objective],
    selector: str,
    labels: Mapping[str, str],
) -> list[Written]:
    """Write two files an objective.

    Raises:
        ExternalError: they cannot be written.
    """
    found = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for objective in objectives:
            stem = _UNSAFE.sub("_", f"{pipeline}.{objective.name}")
            paths = (folder / f"{stem}.rules.yml", folder / f"{stem}.rules.test.yml")
            tests = unit_tests_of(
                pipeline, [objective], paths[0].name, selector=selector, labels=labels
            )
            paths[0].write_text(as_text(pipeline, [objective], selector), encoding="utf-8")
            paths[1].write_text(_HEAD + yaml_text(tests), encoding="utf-8")
            found.append(Written(objective.name, *paths))
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}"
        raise ExternalError(msg) from error
    return found
