"""A recording on the virtual clock."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from streamproc.codecs import decode_decision
from streamproc.core import ModelError, OutRecords, Reason, RecordBatch, SystemClock
from streamproc.executors import Model, Simulated
from streamproc.replay.playback import Playback, Replayed, ReplayMachine, arrivals, replay_virtual
from streamproc.runtime import Assembly, Pipeline
from streamproc.scheduling import Batching
from streamproc.testing import FakeExecutor
from tests.replay.playback.recordings import MS, batch, machine, pipeline, reads, steady


class Seen:
    """What was sent; a tap."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def attach(self, assembly: Assembly, now_ns: Callable[[], int]) -> None:
        assembly.settlement.tap = self

    def sent(self, source: Any, offset: Any, records: OutRecords, settled: Any) -> None:
        self.values += [value for value in records.value if value is not None]

    def ended(self, *_: Any) -> None:
        """Nobody asks."""


def replayed(
    batches: Iterable[RecordBatch],
    *,
    config: Pipeline | None = None,
    on: ReplayMachine | None = None,
    seen: Seen | None = None,
    playback: Playback | None = None,
    seed: int = 0,
) -> Replayed:
    return replay_virtual(
        config or pipeline(),
        arrivals(reads(batches), playback or Playback()),
        executors=[FakeExecutor(lambda x: x["input"] * 2)],
        machine=on or machine(),
        seed=seed,
        attach=None if seen is None else seen.attach,
    )


def test_what_fits_is_on_time_and_decided_by_the_model() -> None:
    seen = Seen()
    found = replayed(steady(100, every_ms=5.0), seen=seen)
    assert found.accounts.summary(1, 0)["outcomes"]["on_time"] == 100
    decisions = [decode_decision(value) for value in seen.values]
    assert [d.id for d in decisions] == [f"ticks/0/{i}" for i in range(100)]
    assert [d.output for d in decisions] == [[2.0 * i] for i in range(100)]


def test_a_batch_takes_what_the_machine_says_and_its_sending_too() -> None:
    seen = Seen()
    found = replayed(
        [batch([0], 0, lag_ms=4)], seen=seen, on=machine(fixed_ms=7, per_event_ms=0, send_ms=3)
    )
    (decision,) = map(decode_decision, seen.values)
    assert decision.decided_ns - decision.event_time_ns == 11 * MS
    assert found.last_ns - found.first_ns == 10 * MS
    assert found.accounts.summary(1, 0)["latency_ms"]["max"] == pytest.approx(14, rel=0.02)


def test_a_batch_takes_what_its_events_cost() -> None:
    seen = Seen()
    one = batch([0, 1], 0, values=[b'{"x": 10}', b'{"x": 4.5}'], lag_ms=0)
    config = pipeline(batching=Batching(cost="x"))
    replayed([one], config=config, seen=seen, on=machine(fixed_ms=2, per_event_ms=1))
    times = [d.decided_ns - d.event_time_ns for d in map(decode_decision, seen.values)]
    # Each alone, one behind the other; 4.5 are planned as 5.
    assert times == [(2 + 10) * MS, (2 + 10) * MS + (2 + 5) * MS]


def test_under_overload_the_books_add_up_and_something_is_shed() -> None:
    found = replayed(steady(2_000, every_ms=0.2, size=3), on=machine(per_event_ms=1.0))
    summary = found.accounts.summary(found.duration_s, 0)
    assert summary["consumed"] == 6_000 == sum(summary["outcomes"].values())
    assert summary["outcomes"]["shed"] > 1_000
    assert summary["outcomes"]["on_time"] > 300


def test_deadlines_move_with_the_arrivals() -> None:
    """Three times as fast, the lag of 1 ms and the budget of 50 ms stay what they were."""
    seen = Seen()
    replayed(steady(50, every_ms=30.0), seen=seen, playback=Playback(speed=3.0))
    for decision in map(decode_decision, seen.values):
        assert decision.deadline_ns - decision.event_time_ns == 50 * MS
        assert decision.decided_ns - decision.event_time_ns == int(3.1 * MS)


def test_no_more_is_taken_in_than_the_service_would() -> None:
    calm = pipeline(shed=())
    found = replayed([batch(range(1_000 * i, 1_000 * (i + 1)), 0) for i in range(40)], config=calm)
    assert found.accounts.consumed == 40_000
    assert found.held_ns > 0


def test_a_model_that_raises_makes_dead_letters() -> None:
    fake = FakeExecutor()
    fake.fail(RuntimeError("broken"), runs=1)
    found = replay_virtual(
        pipeline(),
        arrivals(reads(steady(3, every_ms=20.0)), Playback()),
        executors=[fake],
        machine=machine(),
    )
    assert found.accounts.summary(1, 0)["outcomes"]["dead_letter"] == 1
    assert found.accounts.summary(1, 0)["outcomes"]["on_time"] == 2


class Punctual(FakeExecutor):
    """Stops what is to end before the present, and answers nothing that is due before it, as real ones do."""

    def run_by(
        self, inputs: Any, deadline_ns: int | None, until_ns: int | None = None
    ) -> dict[str, Any]:
        now_ns = SystemClock().now_ns()
        if any(instant is not None and instant < now_ns for instant in (deadline_ns, until_ns)):
            raise ModelError(Reason.STOPPED, "no answer could be in time any more")
        return self.run(inputs)


def test_a_model_that_minds_the_clock_is_not_stopped_because_the_recording_is_old() -> None:
    found = replay_virtual(
        pipeline(model=Model(executor=Simulated(), stop_late=True)),
        arrivals(reads(steady(20, every_ms=5.0)), Playback()),
        executors=[Punctual()],
        machine=machine(),
    )
    assert found.accounts.summary(1, 0)["outcomes"]["on_time"] == 20


def test_an_empty_recording_has_an_empty_account() -> None:
    found = replayed([])
    assert found.accounts.consumed == 0
    assert found.duration_s == 0


def test_three_times_the_traffic_is_three_times_the_events() -> None:
    found = replayed(steady(100, every_ms=10.0), playback=Playback(load=3.0))
    assert found.accounts.consumed == 300


def test_the_same_seed_draws_the_same_times() -> None:
    noisy = ReplayMachine(sweeps=machine().sweeps, jitter=0.5)

    def values(seed: int) -> list[bytes]:
        seen = Seen()
        replayed(steady(100), on=noisy, seen=seen, seed=seed)
        return seen.values

    assert values(1) == values(1)
    assert values(1) != values(2)
