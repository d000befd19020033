"""The features of a recording, made by the engine that serves."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.connectors.playback import Playback, arrivals
from streamproc.core import EventBatch, RecordBatch, TopicPartition
from streamproc.engine import Output
from streamproc.replay.playback import (
    ReplayMachine,
    TableHistory,
    answering,
    replay_virtual,
    without_transactions,
)
from streamproc.runtime import Assembly

_RUN_NS: Final = 1_000
"""A batch takes next to nothing: nobody waits for a decision, and none is late."""


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Events with their features, in the order in which they came.

    Attributes:
        source: where they came from.
        events: with their inputs.
    """

    source: TopicPartition
    events: EventBatch

    def ids(self) -> list[str]:
        """The ids of their decisions: ``topic/partition/offset``, ``/row`` behind it where records hold several."""
        topic, partition = self.source
        offsets = self.events.offset.tolist()
        if self.events.row is None:
            return [f"{topic}/{partition}/{offset}" for offset in offsets]
        rows = self.events.row.tolist()
        return [
            f"{topic}/{partition}/{offset}/{row}" for offset, row in zip(offsets, rows, strict=True)
        ]


class _Collector:
    def __init__(self, take: Callable[[FeatureRows], None]) -> None:
        self._take = take

    def made(self, source: TopicPartition, events: EventBatch) -> None:
        """See ``FeatureTap``."""
        self._take(FeatureRows(source, events))


def features_of(
    config: PipelineConfig,
    records: Callable[[], Iterable[RecordBatch]],
    take: Callable[[FeatureRows], None],
    tables: TableHistory | None = None,
) -> None:
    """Make the features of all records, and show them.

    The engine is the service's; nothing is shed, so that every event has its features, and the model's answers do
    not matter, so it is not run.

    Args:
        config: the pipeline.
        records: reads the recording from its begin.
        take: is shown the features, a batch at a time; rows with NaNs among them.
        tables: what lookups found; None where they look into nothing that changes.

    Raises:
        ConfigError: the features do not fit the model.
    """
    plain = replace(
        without_transactions(config), shed=(), output=Output(), record=None, rollout=None
    )
    executors = answering(plain, outputs=False)
    sizes = (1, plain.batching.max_size)
    machine = ReplayMachine(
        sweeps=[(sizes, (_RUN_NS, _RUN_NS))] * len(executors), send_ns=np.array([0])
    )

    def attach(assembly: Assembly, _: Callable[[], int]) -> None:
        assembly.feature_taps.append(_Collector(take))

    try:
        replay_virtual(
            plain,
            arrivals(records, Playback()),
            executors=executors,
            machine=machine,
            attach=attach,
            tables=tables,
        )
    finally:
        for executor in executors:
            executor.close()


def first_of(records: Iterable[RecordBatch], most: int) -> Iterator[RecordBatch]:
    """As many of the first records."""
    left = most
    for batch in records:
        if left <= 0:
            return
        yield batch if len(batch) <= left else batch.take(np.arange(left))
        left -= len(batch)


def one_by_one(records: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """The same records, each fetched alone."""
    for batch in records:
        ends = [*batch.offset[1:].tolist(), batch.end_position]
        for row, end in islice(enumerate(ends), len(batch)):
            yield replace(batch.take(np.array([row])), end_position=end)
