"""The scenarios on a pretended device, where every figure is known."""

import numpy as np
import pytest

from streamproc.core import NS_PER_MS, Columns, VirtualClock
from streamproc.modeling.bench import SCENARIOS, Outcome, Scenario, Shape, run_scenario
from streamproc.testing import FakeExecutor

FIXED_NS, EACH_NS = NS_PER_MS, NS_PER_MS // 10


def batch(size: int) -> Columns:
    return {"input": np.zeros((size, 2), np.float32)}


def run(
    scenario: Scenario, shape: Shape, batch_max: int | None = None
) -> tuple[Outcome, FakeExecutor]:
    clock = VirtualClock()
    executor = FakeExecutor(
        fixed_ns=FIXED_NS, per_event_ns=EACH_NS, clock=clock, batch_max=batch_max
    )
    return run_scenario(scenario, executor, batch, clock, shape), executor


def test_single_stream_is_one_event_at_a_time() -> None:
    found, executor = run("single_stream", Shape(batch_max=32))
    assert set(executor.sizes) == {1}
    assert found.figure == found.latency.p90 == 1.1 * NS_PER_MS
    assert found.throughput_per_s == pytest.approx(1 / 1.1e-3)


def test_multi_stream_is_eight() -> None:
    found, executor = run("multi_stream", Shape(batch_max=1))
    assert set(executor.sizes) == {8}
    assert found.figure == found.latency.p99 == 1.8 * NS_PER_MS
    assert run("multi_stream", Shape(), batch_max=1)[0].batch == 1


def test_offline_is_full_batches() -> None:
    found, executor = run("offline", Shape(batch_max=32))
    assert set(executor.sizes) == {32}
    assert found.figure == found.throughput_per_s == pytest.approx(32 / 4.2e-3)


def test_server_finds_the_rate_that_keeps_to_the_limit() -> None:
    found, executor = run("server", Shape(batch_max=32, limit_ns=10 * NS_PER_MS))
    assert found.valid
    assert found.latency.p99 <= 10 * NS_PER_MS
    # A full batch every 4.2 ms; whoever comes just behind one waits for it and takes the next: 8.4 ms.
    assert 0.7 * 32 / 4.2e-3 < found.figure < 32 / 4.2e-3
    assert max(executor.sizes) == 32
    tight, _ = run("server", Shape(batch_max=32, limit_ns=3 * NS_PER_MS))
    assert 0 < tight.figure < found.figure


def test_a_limit_below_one_event_is_kept_at_no_rate() -> None:
    found, _ = run("server", Shape(limit_ns=NS_PER_MS))
    assert (found.valid, found.figure) == (False, 0.0)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_gives_the_same_figures(scenario: Scenario) -> None:
    assert run(scenario, Shape())[0] == run(scenario, Shape())[0]
