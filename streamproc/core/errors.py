"""What can go wrong, divided by who must act.

    StreamprocError
    ├ ConfigError     the user: file, line, allowed values, nearest name
    ├ RecordError     nobody: one dead letter, the stream goes on
    ├ ModelError      nobody: the batch is tried in parts, those at fault are dead letters
    ├ TransientError  nobody: the user's model says that trying again may help
    ├ ExternalError   the operator: broker, model file, device; retry or stop
    └ InvariantError  us: a bug; stop before a wrong decision goes out

A message says what was wrong, its value and place, and what to do next. The command prints the
message alone, never a traceback, and exits with 2 for the first and third.
"""

from dataclasses import dataclass


class StreamprocError(Exception):
    """Anything that streamproc itself raises."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration.

    Attributes:
        message: what is wrong and what would be right.
        key: the dotted path of the key, such as ``source.kafka.topics``; empty for the whole file.
        line: the line in the file, from 1; None where it came from elsewhere.
        origin: the file, ``--set`` or the environment variable that it came from.
    """

    message: str
    key: str = ""
    line: int | None = None
    origin: str = ""

    def __str__(self) -> str:
        place = f"{self.origin}:{self.line}" if self.line is not None else self.origin
        key = "" if self.origin.endswith(self.key) else self.key  # ``--set KEY`` names it already
        return ": ".join(part for part in (place, key, self.message) if part)


class ConfigError(StreamprocError):
    """The user's configuration, command or model does not fit; all problems at once.

    Args:
        problems: what is wrong; a plain text stands for one problem without a place.
    """

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(map(str, self.problems)))


class RecordError(StreamprocError):
    """One record cannot be used; it becomes a dead letter.

    Args:
        reason: a word of ``outcomes.Reason``, a metric's label.
        detail: what was wrong, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class ModelError(StreamprocError):
    """The model could not answer a batch, for another reason than an exception of its own.

    Args:
        reason: a word of ``outcomes.Reason``, a metric's label.
        detail: what happened, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


class TransientError(StreamprocError):
    """What the user's model raises where the same batch may go well in a moment, such as a service that is busy."""


class ExternalError(StreamprocError):
    """Something outside failed: a broker, a model file, a port, a device.

    Args:
        message: what failed, where, and what to do.
        retriable: True where waiting may help.
    """

    def __init__(self, message: str, *, retriable: bool = False) -> None:
        self.retriable = retriable
        super().__init__(message)


class InvariantError(StreamprocError):
    """A promise of the code to itself is broken: a bug of streamproc. The pipeline stops."""
