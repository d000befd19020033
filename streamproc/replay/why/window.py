"""The events of a part of a recording as the scheduler is told of them: times, lanes, costs; not what is in them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from streamproc.config import PipelineConfig
from streamproc.core import (
    BoolArray,
    Columns,
    EventBatch,
    Int64Array,
    ModelInfo,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine import EventTimes, Intake
from streamproc.replay.coordinates import NO_ROW, Coordinates
from streamproc.replay.simulation import Traffic
from streamproc.runtime import (
    lane_budgets_ns,
    lane_specs,
    make_decoder,
    make_lanes,
    make_offering,
)
from streamproc.scheduling import Offered

_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Events in the order of their arrival, one row each.

    Attributes:
        traffic: what the scheduler is told of them.
        source: int64 [n], places in ``sources``.
        offset: int64 [n].
        row: int64 [n], -1 where the record is one event.
        event_time_ns: int64 [n], when they happened.
        has_budget: bool [n], whose deadline is by the budget, and not their own.
        sources: the partitions.
    """

    traffic: Traffic
    source: Int64Array
    offset: Int64Array
    row: Int64Array
    event_time_ns: Int64Array
    has_budget: BoolArray
    sources: tuple[TopicPartition, ...]

    def __len__(self) -> int:
        return len(self.traffic)

    def find(self, event: Coordinates) -> int | None:
        """The row of an event; None where it is not here, such as one that could not be decoded."""
        source = TopicPartition(event.topic, event.partition)
        if source not in self.sources:
            return None
        place = (self.offset == event.offset) & (self.row == event.row)
        found = np.flatnonzero(place & (self.source == self.sources.index(source)))
        return int(found[0]) if found.size else None

    def named(self, row: int) -> Coordinates:
        """Which event a row is."""
        topic, partition = self.sources[int(self.source[row])]
        return Coordinates(topic, partition, int(self.offset[row]), int(self.row[row]))

    def between(self, start_ns: int, end_ns: int) -> "Window":
        """Those that arrived from an instant on and up to another, that one included."""
        arrival_ns = self.traffic.arrival_ns
        begin = int(arrival_ns.searchsorted(start_ns))
        return self.take(np.arange(begin, int(arrival_ns.searchsorted(end_ns, side="right"))))

    def take(self, rows: Int64Array) -> "Window":
        """The rows named, ascending."""
        traffic = self.traffic
        return replace(
            self,
            traffic=Traffic(
                arrival_ns=traffic.arrival_ns[rows],
                deadline_ns=traffic.deadline_ns[rows],
                lane=None if traffic.lane is None else traffic.lane[rows],
                key=None if traffic.key is None else traffic.key[rows],
                value=None if traffic.value is None else traffic.value[rows],
                cost=None if traffic.cost is None else traffic.cost[rows],
            ),
            source=self.source[rows],
            offset=self.offset[rows],
            row=self.row[rows],
            event_time_ns=self.event_time_ns[rows],
            has_budget=self.has_budget[rows],
        )


def read_window(
    config: PipelineConfig, model: ModelInfo, batches: Iterable[RecordBatch]
) -> Window | None:
    """Decode records as the service does, and leave out what cannot be decoded.

    Args:
        config: the pipeline.
        model: its best variant, whose inputs may say what the records' fields are.
        batches: what was fetched.

    Returns:
        None where there are no events.
    """
    sources: dict[TopicPartition, int] = {}
    parts = list(_parts(config, model, sorted(batches, key=lambda one: one.arrival_ns), sources))
    if not parts:
        return None
    events = EventBatch.concatenate([replace(e, columns={}, headers={}) for e, _ in parts])
    offered = [told for _, told in parts]
    budgets_ns = np.array([spec.budget_ns for spec in lane_specs(config)])
    budget_ns = budgets_ns[-1] if events.lane is None else budgets_ns[events.lane]
    from_ns = events.arrival_ns if config.deadline.from_ == "arrival" else events.event_time_ns
    return Window(
        traffic=Traffic(
            arrival_ns=events.arrival_ns,
            deadline_ns=events.deadline_ns,
            lane=events.lane,
            key=_joined([told.key for told in offered]),
            value=_joined([told.value for told in offered]),
            cost=_joined([told.cost for told in offered]),
        ),
        source=events.partition,
        offset=events.offset,
        row=np.full(len(events), NO_ROW) if events.row is None else events.row,
        event_time_ns=events.event_time_ns,
        has_budget=np.asarray(events.deadline_ns == from_ns + budget_ns),
        sources=tuple(sources),
    )


class _NoFeatures:
    """The scheduler is told nothing of features, so none are made."""

    def build(self, events: EventBatch) -> Columns:  # noqa: ARG002 - see Features
        return {}


def _parts(
    config: PipelineConfig,
    model: ModelInfo,
    batches: Iterable[RecordBatch],
    sources: dict[TopicPartition, int],
) -> Iterator[tuple[EventBatch, Offered]]:
    """The events of each batch, and what the scheduler is told of them; numbers the partitions."""
    decoder = make_decoder(config, model)
    times = EventTimes(config.event_time, config.deadline, lane_budgets_ns(config))
    intake = Intake(
        decoder=decoder,
        features=_NoFeatures(),
        key=config.key,
        times=times,
        lanes=make_lanes(config, decoder),
    )
    offering = make_offering(config, decoder, keys=True)
    number = 0
    for batch in batches:
        partition = sources.setdefault(batch.source, len(sources))
        admitted = intake.admit(
            batch,
            times.of_records(batch),
            ordinal=0,
            number=number,
            partition=partition,
            rows=None,
        )
        for events in admitted.events:
            number += len(events)
            yield events, offering.of(events, partition)


def _joined(
    columns: Sequence[npt.NDArray[_Number] | None],
) -> npt.NDArray[_Number] | None:
    there = [column for column in columns if column is not None]
    return np.concatenate(there) if there else None
