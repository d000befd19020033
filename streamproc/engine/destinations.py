"""Where decisions and letters go, and how large they may be."""

from collections.abc import Callable
from dataclasses import dataclass

RECORD_BYTES = 256
"""More than a record's own framing, its batch's, and our header take (61 + 21 + 40 bytes)."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where things go.

    Attributes:
        decisions: the topic of decisions.
        dead_letters: the topic of dead letters; None drops them.
        shed: the topic of shed events; None drops them.
        late: False drops the decisions that come too late.
        rekeyed: True where an event's key is not its record's.
        bytes_max: the largest record that may be sent.
        headers: names of headers of an event that its decision has too, besides those that it always has.
        redact: takes secrets out of what a dead letter says was wrong.
    """

    decisions: str
    dead_letters: str | None
    shed: str | None
    late: bool
    rekeyed: bool
    bytes_max: int
    headers: frozenset[str] = frozenset()
    redact: Callable[[str], str] = str
