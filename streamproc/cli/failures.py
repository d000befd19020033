"""What people and programs are told when something goes wrong: lines, never a traceback."""

import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from streamproc.core.errors import (
    ConfigError,
    ExternalError,
    InvariantError,
    Problem,
    StreamprocError,
)

if TYPE_CHECKING:
    from streamproc.config import LoadedConfig

_CONNECTORS = ("source.kafka", "sink.kafka")
DONE = 0
FAILED = 1
"""It ran, and the answer is bad."""
MISUSED = 2
"""The command or the configuration is wrong."""


class RunFailedError(StreamprocError):
    """It was running when something outside failed for good."""


class UnexpectedError(Exception):
    """A bug, of streamproc or of the user's code, with its secrets taken out.

    Args:
        error: what was raised.
        redact: takes secrets out of a text.
    """

    def __init__(self, error: BaseException, redact: Callable[[str], str]) -> None:
        super().__init__(redact(f"{type(error).__name__}: {error}"))
        self.trace = redact("".join(traceback.format_exception(error)))


@contextlib.contextmanager
def located(loaded: "LoadedConfig") -> Iterator[None]:
    """Give what is raised inside the lines of the configuration, and take its secrets out.

    Raises:
        StreamprocError: the same kind, with places and without secrets.
        UnexpectedError: for anything else.
    """
    from streamproc.config import hide_in_logs  # noqa: PLC0415 - `--help` needs no numpy

    hide_in_logs(loaded.redact)
    try:
        yield
    except ConfigError as error:
        raise ConfigError(*placed(loaded, error.problems)) from None
    except ExternalError as error:
        raise ExternalError(loaded.redact(str(error)), retriable=error.retriable) from None
    except (RunFailedError, InvariantError) as error:
        raise type(error)(loaded.redact(str(error))) from None
    except Exception as error:  # noqa: BLE001 - told, redacted, by main
        raise UnexpectedError(error, loaded.redact) from None


def placed(loaded: "LoadedConfig", problems: Sequence[Problem]) -> list[Problem]:
    """Problems that showed after loading, at their keys' lines."""
    found = []
    for problem in problems:
        key, message = problem.key, problem.message
        part, _, rest = message.partition(": ")
        if not key and part in _CONNECTORS:  # they know whose address is wrong, and not the key
            key, message = f"{part}.bootstrap_servers", rest
        if key and problem.line is None:
            found.append(loaded.problem(key, message))
        else:
            found.append(replace(problem, message=loaded.redact(message)))
    return found


@dataclass(frozen=True, slots=True)
class Voice:
    """Tells failures, to people on stderr, with ``--json`` to programs on stdout.

    Attributes:
        json: True for programs.
        traced: True to show tracebacks of bugs.
    """

    json: bool
    traced: bool

    def say(self, text: str) -> None:
        """One line for people."""
        print(f"streamproc: {text}", file=sys.stderr)

    def misused(self, error: Any) -> int:  # noqa: ANN401 - typer's or click's UsageError
        """The command line is wrong."""
        message = " ".join(error.format_message().split())
        path = error.ctx.command_path if error.ctx is not None else "streamproc"
        self._tell(message, [Problem(message)], hint=f"see {path} --help")
        return MISUSED

    def failed(self, error: BaseException) -> int:
        """A command raised; gives the exit code."""
        match error:
            case ConfigError(problems=problems):
                self._tell(_headline(problems), problems)
                return MISUSED
            case ExternalError():
                self._tell(str(error), [Problem(str(error))])
                return MISUSED
            case RunFailedError():
                self._tell(str(error), [Problem(str(error))])
                return FAILED
            case InvariantError():
                message = f"a bug of streamproc, please report it: {error}"
            case _:
                message = str(error) or repr(error)
                if not isinstance(error, UnexpectedError):
                    message = f"{type(error).__name__}: {error}"
                message = f"unexpected: {message}"
        self._trace(error)
        hint = "" if self.traced else "--traceback or STREAMPROC_TRACEBACK=1 shows where"
        self._tell(" ".join(message.split()), [Problem(message)], hint=hint)
        return FAILED

    def _trace(self, error: BaseException) -> None:
        if self.traced:
            text = error.trace if isinstance(error, UnexpectedError) else None
            sys.stderr.write(text or "".join(traceback.format_exception(error)))

    def _tell(self, message: str, problems: Sequence[Problem], *, hint: str = "") -> None:
        if self.json:
            listed = [
                {
                    "file": p.origin or None,
                    "line": p.line,
                    "key": p.key or None,
                    "message": p.message,
                }
                for p in problems
            ]
            print(json.dumps({"error": message, "problems": listed}))
            return
        lines = [str(problem) for problem in problems]
        if hint:
            lines[-1] += f" ({hint})"
        for line in lines:
            self.say(" ".join(line.split()))


def _headline(problems: Sequence[Problem]) -> str:
    if len(problems) == 1:
        return str(problems[0])
    return f"{len(problems)} problems; the first: {problems[0]}"
