"""A configuration that was read, and where each of its keys is written."""

from dataclasses import dataclass, field
from pathlib import Path as FilePath

from streamproc.config.overrides import split_key
from streamproc.config.secrets import redact
from streamproc.config.spec import PipelineConfig
from streamproc.config.tree import Node
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
        return self.root.place_of(split_key(key)).line

    def problem(self, key: str, message: str) -> Problem:
        """A problem with a dotted key that shows later, at its place and without secrets."""
        return self.root.problem(split_key(key), self.redact(message))

    def redact(self, text: str) -> str:
        """The text without any of the configuration's secrets."""
        return redact(text, self.secrets)
