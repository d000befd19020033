"""What the engine asks for: effects, to be carried out by whoever drives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from streamproc.core import Columns, Int64Array, OutRecords, TopicPartition, light


@light
@dataclass(frozen=True, slots=True)
class Stop:
    """When a batch that still runs is worth nothing any more, and who may answer in its place.

    Attributes:
        until_ns: when.
        by_ns: int64 [size], when the answer of each event must be there to be in time.
        cheaper: variants that may answer in its place, the better ones first, and how long such a batch takes them (ns).
    """

    until_ns: int
    by_ns: Int64Array
    cheaper: Sequence[tuple[int, int]] = ()


@light
@dataclass(frozen=True, slots=True)
class Infer:
    """Run the model, then call ``completed`` or ``failed`` with the run's number.

    Attributes:
        run: the run's number.
        size: how many events.
        inputs: the model's inputs by name, each [size, ...].
        variant: which variant of the model, 0 being the best.
        cost: what it takes of the model where events have costs, 1 being an ordinary one; 0 where they have none.
        deadline_ns: the first deadline among the events.
        alone: True where no other variant may answer in its place.
        stop: when it is to be stopped, by an executor that can; None for never.
        ladder: how many of the executors, from the first on, may stand in for one another; None for all, and 0 for none:
            then a failure is told as one, and nothing is tried again. What is not of the ladder never runs on the event
            loop.
    """

    run: int
    size: int
    inputs: Columns
    variant: int = 0
    cost: int = 0
    deadline_ns: int | None = None
    ladder: int | None = None
    alone: bool = False
    stop: Stop | None = None


@light
@dataclass(frozen=True, slots=True)
class Send:
    """Send records, then call ``acknowledged`` with the ticket.

    Attributes:
        ticket: what to call it by.
        records: what to send.
    """

    ticket: int
    records: OutRecords


@dataclass(frozen=True, slots=True)
class Skip:
    """Jump over what is too old of a partition, then call ``skipped`` with what was jumped over.

    Attributes:
        source: the partition.
        timestamp_ns: of the oldest record that is wanted, as its producers tell it.
    """

    source: TopicPartition
    timestamp_ns: int


Effect: TypeAlias = Infer | Send | Skip
