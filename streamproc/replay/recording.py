"""A recording as JSON lines, gzipped or not: ``{"timestamp_ns": ..., "key": ..., "value": ...}`` each."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar, cast

import msgspec
import numpy as np

from streamproc.core import ConfigError, Int64Array, Problem
from streamproc.replay.recorded import Recorded


class _Line(msgspec.Struct):
    timestamp_ns: int
    key: str | None
    value: msgspec.Raw


class _Stamp(msgspec.Struct):
    timestamp_ns: int


_Form = TypeVar("_Form", _Line, _Stamp)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording on disk, read a line at a time.

    Attributes:
        path: the file; its name ends with ``.gz`` where it is gzipped.
    """

    path: Path

    def timestamp_ns(self) -> Int64Array:
        """When each event was seen, int64 [n], ns since 1970, ascending.

        Raises:
            ConfigError: it cannot be read, is empty, or goes back in time.
        """
        stamps = np.array([line.timestamp_ns for line in self._read(_Stamp)], np.int64)
        if not stamps.size:
            raise ConfigError(Problem("holds no events", origin=str(self.path)))
        back = np.flatnonzero(np.diff(stamps) < 0)
        if back.size:
            message = "is earlier than the line before: sort the recording by timestamp_ns"
            raise ConfigError(Problem(message, line=int(back[0]) + 2, origin=str(self.path)))
        return stamps

    def events(self) -> Iterator[Recorded]:
        """The events in order, once.

        Raises:
            ConfigError: it cannot be read.
        """
        for line in self._read(_Line):
            key = None if line.key is None else line.key.encode()
            yield Recorded(key, bytes(line.value))

    def events_for_ever(self) -> Iterator[Recorded]:
        """The events again and again; see ``events``."""
        while True:
            yield from self.events()

    def _read(self, form: type[_Form]) -> Iterator[_Form]:
        """The lines; what is wrong with one is told with its number."""
        decode = msgspec.json.Decoder(form).decode
        opener = gzip.open if self.path.suffix == ".gz" else open
        number = 0
        try:
            with cast("IO[bytes]", opener(self.path, "rb")) as file:
                for number, line in enumerate(file, start=1):  # noqa: B007 - for the message
                    yield decode(line)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
            raise ConfigError(Problem(message, origin=str(self.path))) from error
        except EOFError as error:
            message = "ends in the middle: it was not written to its end"
            raise ConfigError(Problem(message, line=number, origin=str(self.path))) from error
        except msgspec.DecodeError as error:
            raise ConfigError(
                Problem(str(error), line=number or 1, origin=str(self.path))
            ) from error
