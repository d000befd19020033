"""The scenarios of MLPerf Inference (Reddi and others 2020), on an executor.

| scenario | queries | its figure |
|---|---|---|
| single_stream | one event, the next when it is answered | 90th percentile of the latency |
| multi_stream | eight events, the next when they are answered | 99th percentile |
| server | events at random instants (Poisson) | the highest rate whose 99th percentile keeps to a limit |
| offline | all events at once | events a second |

Every batch is really run. Only the waiting of the server scenario is computed: an event waits until the executor is
free, and the executor takes all that wait, up to the largest batch; with the batches' own measured times that is what a
queue before one executor does, and it needs no time to pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from streamproc.core import NS_PER_S, Clock, Columns, Executor, Int64Array
from streamproc.modeling.measuring import Timing

Scenario: TypeAlias = Literal["single_stream", "multi_stream", "server", "offline"]
SCENARIOS: tuple[Scenario, ...] = ("single_stream", "multi_stream", "server", "offline")
Batch: TypeAlias = Callable[[int], Columns]
"""Inputs for so many events."""
STREAMS = 8
"""Events of a query of the multi-stream scenario."""
_WARM_UP = 3
_RUNS_MIN = 30
_SEARCH_STEPS = 8
"""Halvings of the interval in which the highest rate lies: within 1%."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How long, and how.

    Attributes:
        batch_max: the largest batch of the scenarios server and offline.
        duration_ns: how long a scenario runs; of the server's each of its trials.
        limit_ns: within which the server scenario's 99th percentile has to be.
        seed: of the arrivals.
    """

    batch_max: int = 32
    duration_ns: int = NS_PER_S
    limit_ns: int = NS_PER_S // 100
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario gave.

    Attributes:
        scenario: which.
        batch: the largest batch.
        latency: of events, waiting included.
        throughput_per_s: events a second; of the server scenario the highest rate that keeps to the limit.
        figure: what MLPerf reports of the scenario: ns, or events a second.
        valid: False where not even the lowest rate keeps to the limit.
    """

    scenario: Scenario
    batch: int
    latency: Timing
    throughput_per_s: float
    figure: float
    valid: bool = True


def run_scenario(
    scenario: Scenario, executor: Executor, batch: Batch, clock: Clock, shape: Shape
) -> Outcome:
    """Run one scenario.

    Args:
        scenario: which.
        executor: the model.
        batch: gives inputs.
        clock: the time of the executor.
        shape: how long, and how.
    """
    takes = executor.info.batch_max
    most = min(takes or shape.batch_max, shape.batch_max)
    sizes: dict[Scenario, int] = {
        "single_stream": 1,
        "multi_stream": min(takes or STREAMS, STREAMS),
        "offline": most,
        "server": most,
    }
    size = sizes[scenario]
    for _ in range(_WARM_UP):
        executor.run(batch(size))
    if scenario == "server":
        return _server(executor, batch, clock, shape, most)
    took = _closed(executor, batch(size), clock, shape.duration_ns)
    latency = Timing.of(took)
    rate = size * len(took) * NS_PER_S / int(took.sum())
    figure = {"single_stream": latency.p90, "multi_stream": latency.p99, "offline": rate}
    return Outcome(scenario, size, latency, rate, figure[scenario])


def _closed(executor: Executor, inputs: Columns, clock: Clock, duration_ns: int) -> Int64Array:
    """Each query when the one before is answered."""
    took: list[int] = []
    begun_ns = clock.now_ns()
    while len(took) < _RUNS_MIN or clock.now_ns() - begun_ns < duration_ns:
        at_ns = clock.now_ns()
        executor.run(inputs)
        took.append(max(1, clock.now_ns() - at_ns))
    return np.array(took, np.int64)


def _server(
    executor: Executor, batch: Batch, clock: Clock, shape: Shape, batch_max: int
) -> Outcome:
    """Look for the highest rate: it lies below what full batches give."""
    generator = np.random.default_rng(shape.seed)
    full = _closed(executor, batch(batch_max), clock, shape.duration_ns // 4)
    high = batch_max * NS_PER_S / float(np.median(full))
    low, best = 0.0, None
    latency = None
    for _ in range(_SEARCH_STEPS):
        rate = (low + high) / 2
        waited = _arrive(executor, batch, clock, shape, batch_max, rate, generator)
        latency = Timing.of(waited)
        if latency.p99 <= shape.limit_ns:
            low, best = rate, latency
        else:
            high = rate
    if best is None or latency is None:
        assert latency is not None  # noqa: S101 - there was a step
        return Outcome("server", batch_max, latency, 0.0, 0.0, valid=False)
    return Outcome("server", batch_max, best, low, low)


def _arrive(
    executor: Executor,
    batch: Batch,
    clock: Clock,
    shape: Shape,
    batch_max: int,
    rate: float,
    generator: np.random.Generator,
) -> Int64Array:
    """Latencies of events that come at random, int64 [events]."""
    count = max(_RUNS_MIN, int(rate * shape.duration_ns / NS_PER_S))
    gaps = generator.exponential(NS_PER_S / rate, count)
    arrival = np.cumsum(gaps).astype(np.int64)
    waited = np.empty(count, np.int64)
    inputs: dict[int, Columns] = {}
    done, free_ns = 0, 0
    while done < count:
        start_ns = max(free_ns, int(arrival[done]))
        ready = int(np.searchsorted(arrival, start_ns, side="right")) - done
        size = min(ready, batch_max)
        given = inputs.setdefault(size, batch(size)) if size not in inputs else inputs[size]
        at_ns = clock.now_ns()
        executor.run(given)
        free_ns = start_ns + max(1, clock.now_ns() - at_ns)
        waited[done : done + size] = free_ns - arrival[done : done + size]
        done += size
    return waited
