from dataclasses import replace

import numpy as np

from streamproc.core import Duration, RecordBatch
from streamproc.replay.scenario import Faults
from streamproc.replay.scenario.disturbed import FaultyMachine, disturbed
from streamproc.replay.scenario.options import (
    Corrupt,
    ExecutorSlow,
    Late,
    Outage,
    OutOfOrder,
)
from tests.replay.playback.recordings import MS, START_NS, batch

SECOND = Duration.parse("1s")


def day() -> list[RecordBatch]:
    return [batch(range(4 * n, 4 * n + 4), 5.0 * n, partition=n % 2) for n in range(50)]


def values(batches: list[RecordBatch]) -> list[bytes | None]:
    return sorted((value for one in batches for value in one.value), key=str)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_nothing_wrong_changes_nothing() -> None:
    came = day()
    assert disturbed(came, Faults(), rng()) == came


def test_corrupt_records_are_cut_and_the_others_stay() -> None:
    came = disturbed(day(), Faults(corrupt=Corrupt(share=0.1)), rng())
    before = {one.source: one.value for one in day()}
    assert before
    whole = set(values(day()))
    cut = [value for value in values(came) if value not in whole]
    assert 5 <= len(cut) <= 40
    assert len(values(came)) == 200


def test_late_records_come_later_and_say_the_same() -> None:
    came = disturbed(day(), Faults(late=Late(share=0.2, by=Duration.parse("80ms"))), rng())
    assert values(came) == values(day())
    lags_ms = np.concatenate([(one.arrival_ns - one.timestamp_ns) / MS for one in came])
    assert sorted(set(np.round(lags_ms).tolist())) == [1.0, 81.0]
    assert 20 <= (lags_ms > 2).sum() <= 60


def test_what_is_overtaken_stands_in_the_log_where_it_came() -> None:
    fault = Faults(out_of_order=OutOfOrder(share=0.5, within=Duration.parse("30ms")))
    came = disturbed(day(), fault, rng())
    assert [one.arrival_ns for one in came] == sorted(one.arrival_ns for one in came)
    for partition in (0, 1):
        own = [one for one in came if one.source.partition == partition]
        offsets = np.concatenate([one.offset for one in own])
        assert (np.diff(offsets) > 0).all()
        assert sorted(offsets.tolist()) == sorted(
            o for one in day() if one.source.partition == partition for o in one.offset.tolist()
        )
        times = np.concatenate([one.timestamp_ns for one in own])
        assert (np.diff(times) < 0).any()


def test_the_same_seed_draws_the_same() -> None:
    fault = Faults(late=Late(share=0.2, by=SECOND), corrupt=Corrupt(share=0.1))
    one, other = (disturbed(day(), fault, rng()) for _ in range(2))
    assert values(one) == values(other)
    assert [b.arrival_ns for b in one] == [b.arrival_ns for b in other]


def test_the_model_and_the_broker_are_faulty_for_a_while() -> None:
    at = Duration.parse("2s")
    faults = Faults(
        executor_slow=[ExecutorSlow(at=at, times=3.0)],
        executor_fails=[Outage(at=at, length=SECOND)],
        broker_outage=[Outage(at=at)],
    )
    machine = FaultyMachine(faults, START_NS)
    before, during, after = (START_NS + ms * MS for ms in (1_999, 2_500, 3_000))
    assert [machine.run_ns(at_ns, 7) for at_ns in (before, during, after)] == [7, 21, 7]
    assert machine.failure(before) is None
    assert machine.failure(after) is None
    assert isinstance(machine.failure(during), RuntimeError)
    assert machine.acknowledged_ns(before - MS, before) == before
    # On its way when the broker went, and sent while it was gone: both at the end.
    assert machine.acknowledged_ns(before, before + 2 * MS) == after
    assert machine.acknowledged_ns(during, during + MS) == after


def test_headers_travel_with_their_records() -> None:
    came = [replace(batch(range(4), 0.0), headers={2: [("h", b"v")]})]
    found = disturbed(came, Faults(late=Late(share=0.5, by=SECOND)), np.random.default_rng(1))
    told = {one.value[row]: headers for one in found for row, headers in one.headers.items()}
    assert told == {b'{"x": 2}': [("h", b"v")]}
