"""A configuration that was read, and where each of its keys is written."""

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

from streamproc.config.overrides import split_key
from streamproc.config.secrets import redact
from streamproc.config.spec import PipelineConfig
from streamproc.config.tree import Node, Path
from streamproc.core import Problem


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and the places of its keys.

    Attributes:
        config: the pipeline's parts.
        path: the file; None for a text.
        source_text: the file as it stands, references to secrets not filled in.
        root: its values with their places.
        secrets: the texts that must not be shown.
    """

    config: PipelineConfig
    path: FilePath | None
    source_text: str = field(repr=False)
    root: Node = field(repr=False)
    secrets: frozenset[str] = field(repr=False)

    def line(self, key: str) -> int | None:
        """The line of a dotted key, or of the nearest above it; None for what is not from the file."""
        return self.root.place_of(_path_of(key)).line

    def problem(self, key: str, message: str) -> Problem:
        """A problem with a dotted key that shows later, at its place and without secrets."""
        return self.root.problem(_path_of(key), self.redact(message))

    def redact(self, text: str) -> str:
        """The text without any of the configuration's secrets."""
        return redact(text, self.secrets)


_IN_LISTS: Final = re.compile(r"(.+?)((?:\[\d+\])+)")
"""``variants[1]``: a key, and places in the list behind it."""


def _path_of(key: str) -> Path:
    """The path that ``dotted`` made a key of."""
    found: list[str | int] = []
    for part in split_key(key):
        listed = _IN_LISTS.fullmatch(part)
        if listed is None:
            found.append(part)
        else:
            found += [listed[1], *(int(place) for place in re.findall(r"\d+", listed[2]))]
    return tuple(found)
