"""What every recording gives, whatever its file looks like."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from streamproc.core import Int64Array


class Recorded(NamedTuple):
    """One recorded event."""

    key: bytes | None
    value: bytes


class Playable(Protocol):
    """A recording that can be played."""

    @property
    def path(self) -> Path:
        """Its file."""
        ...

    def timestamp_ns(self) -> Int64Array:
        """When each event was seen, int64 [n], ns since 1970, ascending.

        Raises:
            ConfigError: it cannot be read, is empty, or goes back in time.
        """
        ...

    def events(self) -> Iterator[Recorded]:
        """The events in order, once.

        Raises:
            ConfigError: it cannot be read.
        """
        ...

    def events_for_ever(self) -> Iterator[Recorded]:
        """The events again and again; see ``events``."""
        ...
