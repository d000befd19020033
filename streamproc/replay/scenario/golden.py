"""What an earlier run came to, as a small text: to be looked at in a review, and to be held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamproc.core import ConfigError, Problem

_HEAD = "# What a scenario came to; `streamproc scenario FILE --update` writes it anew.\n"
_OUTCOMES = "outcomes"
_DECISIONS = "decisions"
_MACHINE = "machine "


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """What a run came to.

    Attributes:
        counts: events by outcome and reason, such as ``shed expired``.
        outcomes: digest of what became of each event: the schedule, which is the same on every machine.
        decisions: digest of the decisions' bytes, which are the same where the machine is alike; empty where the
            model was not run.
        machine: what decides whether it is alike.
    """

    counts: Mapping[str, int]
    outcomes: str
    decisions: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The file's text."""
        lines = [f"{name}: {number}" for name, number in sorted(self.counts.items())]
        lines.append(f"{_OUTCOMES}: {self.outcomes}")
        if self.decisions:
            lines.append(f"{_DECISIONS}: {self.decisions}")
            lines += [f"{_MACHINE}{name}: {told}" for name, told in self.machine.items()]
        return _HEAD + "\n".join(lines) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Golden":
        """Read a file.

        Raises:
            ConfigError: it cannot be read, or is none.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}; --update writes it"
            raise ConfigError(Problem(message, origin=str(path))) from error
        counts: dict[str, int] = {}
        digests: dict[str, str] = {}
        machine: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            name, colon, told = line.partition(": ")
            if line.startswith("#") or not line:
                continue
            if name in (_OUTCOMES, _DECISIONS):
                digests[name] = told
            elif name.startswith(_MACHINE):
                machine[name.removeprefix(_MACHINE)] = told
            elif colon and told.isdigit():
                counts[name] = int(told)
            else:
                message = f"{line!r} is no line of such a file; --update writes it anew"
                raise ConfigError(Problem(message, line=number, origin=str(path)))
        return cls(
            counts=counts,
            outcomes=digests.get(_OUTCOMES, ""),
            decisions=digests.get(_DECISIONS, ""),
            machine=machine,
        )
