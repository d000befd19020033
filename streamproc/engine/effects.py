"""What the engine asks for: effects, to be carried out by whoever drives it."""

from dataclasses import dataclass
from typing import TypeAlias

from streamproc.core import Columns, OutRecords


@dataclass(frozen=True, slots=True)
class Infer:
    """Run the model, then call ``completed`` or ``failed`` with the run's number.

    Attributes:
        run: the run's number.
        size: how many events.
        inputs: the model's inputs by name, each [size, ...].
    """

    run: int
    size: int
    inputs: Columns


@dataclass(frozen=True, slots=True)
class Send:
    """Send records, then call ``acknowledged`` with the ticket.

    Attributes:
        ticket: what to call it by.
        records: what to send.
    """

    ticket: int
    records: OutRecords


Effect: TypeAlias = Infer | Send
