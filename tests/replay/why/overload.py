"""An overload on a virtual clock, recorded, and replayed with a change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.core import Duration, ModelInfo, Outcome, RecordBatch, VirtualClock
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.playback import (
    CaptureOutput,
    Playback,
    ReplayMachine,
    Silent,
    arrivals,
    replay_virtual,
)
from streamproc.replay.simulation import Machine, Rules, SimulatedVariant
from streamproc.replay.why import Answer, Change, explain
from streamproc.runtime import Assembly, Pipeline, lane_specs
from streamproc.scheduling import Batching, shed_policies
from tests.replay.playback.recordings import MS, START_NS, batch, pipeline

FIXED_MS, PER_EVENT_MS, SEND_MS = 2.0, 0.25, 1.0
"""2,900 events a second within 50 ms; four in a fetch."""
TOGETHER = 4
ENDING_NS = 100 * MS
"""At its end a replay drains: it waits for no more, which is no part of what was recorded either."""
SETTLED_NS = 1_500 * MS
"""Until then the scheduler still learns how long sending takes, which no part of a recording tells."""
INFO = ModelInfo(variant="full", digest="sha256:0", inputs=(), outputs=())


def traffic(rng: np.random.Generator, *, seconds: float, rate_per_s: float) -> list[RecordBatch]:
    """Bursts of 300 ms at three times the rate of the pauses between them."""
    at_ms, found, offset = 0.0, [], 0
    while at_ms < 1_000 * seconds:
        is_burst = int(at_ms) % 600 < 300
        found.append(
            batch(range(offset, offset + TOGETHER), at_ms, lag_ms=float(rng.uniform(0.5, 6)))
        )
        offset += TOGETHER
        at_ms += rng.exponential(1_000 * TOGETHER / (rate_per_s * (1.5 if is_burst else 0.5)))
    return found


@dataclass(frozen=True)
class Day:
    """What came, by what it was run, and how it is changed."""

    batches: Sequence[RecordBatch]
    config: Pipeline
    executors: int = 1
    quicker: float = 1.0
    gone: frozenset[int] = frozenset()

    @property
    def machine(self) -> ReplayMachine:
        size_max = self.config.batching.max_size
        sizes = list(range(1, size_max + 1))
        run_ns = [int((FIXED_MS + PER_EVENT_MS * n) * MS * self.quicker) for n in sizes]
        return ReplayMachine(sweeps=[(sizes, run_ns)], send_ns=np.array([int(SEND_MS * MS)]))

    def kept(self) -> list[RecordBatch]:
        if not self.gone:
            return list(self.batches)
        kept = []
        for one in self.batches:
            rows = [i for i, offset in enumerate(one.offset.tolist()) if offset not in self.gone]
            if rows:
                kept.append(
                    replace(
                        one,
                        offset=one.offset[rows],
                        timestamp_ns=one.timestamp_ns[rows],
                        key=[one.key[i] for i in rows],
                        value=[one.value[i] for i in rows],
                    )
                )
        return kept

    def replay(self, path: Path) -> Path:
        """Play it, and record what comes of it."""
        told = CaptureMetadata(pipeline=self.config.name)
        clock = VirtualClock(START_NS)
        with CaptureWriter(path, told, clock=clock, durable=False, overwrite=True) as writer:
            kept = self.kept()
            for one in kept:
                writer.records(one)

            def attach(assembly: Assembly, now_ns: Callable[[], int]) -> None:
                assembly.settlement.tap = CaptureOutput(writer, now_ns)

            replay_virtual(
                self.config,
                arrivals(lambda: kept, Playback()),
                executors=[Silent(INFO, concurrency=self.executors, columns=1)],
                machine=self.machine,
                attach=attach,
            )
        return path

    def changed(self, change: Change) -> "Day":
        """The whole day with the change."""
        match change.kind:
            case "executors":
                return replace(self, executors=self.executors + int(change.amount))
            case "model":
                return replace(self, quicker=1 - change.amount / 100)
            case "budget":
                budget = Duration.parse("50ms") + int(change.amount * MS)
                deadline = replace(self.config.deadline, budget=Duration(budget))
                return replace(self, config=replace(self.config, deadline=deadline))
            case "batch":
                return replace(
                    self,
                    config=replace(self.config, batching=Batching(max_size=int(change.amount))),
                )
            case "planner":
                return replace(self, config=replace(self.config, batching=Batching()))
            case "traffic":
                return replace(self, gone=frozenset(one.offset for one in change.without))
        raise AssertionError(change.kind)

    def explain(self, path: Path, event: Coordinates) -> Answer:
        (curve,) = self.machine.sweeps
        return explain(
            CaptureReader(path),
            event,
            config=self.config,
            model=INFO,
            machine=Machine(
                variants=[SimulatedVariant(np.array(curve[1]))],
                executors=self.executors,
                send_ns=int(SEND_MS * MS),
            ),
            rules=Rules(
                batching=self.config.batching,
                shed=shed_policies(self.config.shed),
                ordering=self.config.ordering,
                lanes=lane_specs(self.config),
            ),
        )


def outcomes(path: Path) -> dict[int, Outcome]:
    """What became of each event, by its offset."""
    found: dict[int, Outcome] = {}
    for columns in CaptureReader(path).outcomes():
        for offset, code in zip(columns.offset.tolist(), columns.outcome.tolist(), strict=True):
            found[offset] = Outcome(code)
    return found


def lost(path: Path) -> list[int]:
    """The shed and late events of the time when the scheduler has settled, and more is still to come."""
    arrived = {
        offset: one.arrival_ns
        for one in CaptureReader(path).records()
        for offset in one.offset.tolist()
    }
    first_ns, last_ns = START_NS + SETTLED_NS, max(arrived.values()) - ENDING_NS
    return sorted(
        offset
        for offset, outcome in outcomes(path).items()
        if outcome in (Outcome.SHED, Outcome.LATE) and first_ns < arrived[offset] < last_ns
    )


def day(*, seconds: float, rate_per_s: float, seed: int = 1) -> Day:
    rng = np.random.default_rng(seed)
    return Day(traffic(rng, seconds=seconds, rate_per_s=rate_per_s), pipeline())
