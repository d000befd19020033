"""The stage that makes the p99 is found."""

import pickle

import numpy as np

from streamproc.core import Int64Array
from streamproc.telemetry import STAGES, Accounts, Stage
from streamproc.telemetry.tail import FIRST_EVENTS

MS = 1_000_000
COMMON_NS: dict[Stage, int] = {
    "broker": 20 * MS, "decode": MS, "queue": 2 * MS, "infer": 3 * MS, "emit": 4 * MS,
}  # fmt: skip


def settle(accounts: Accounts, count: int, **more_ns: int) -> None:
    """Events that spent the common time in each stage, and more in some."""
    spent = [COMMON_NS[stage] + more_ns.get(stage, 0) for stage in STAGES]
    edges = np.cumsum([0, *spent]).tolist()

    def column(instant_ns: int) -> Int64Array:
        return np.full(count, instant_ns)

    for stage, ns in zip(STAGES, spent, strict=True):
        accounts.stage_constant(stage, ns, count)
    accounts.latency(column(edges[-1]))
    event, arrival, admitted, started, ended, final = edges
    instants = (column(event), column(arrival), column(admitted), started, ended, final)
    accounts.tail.settled(column(edges[-1]), instants, accounts.e2e)


def test_nothing_is_said_before_a_p99_is_known() -> None:
    accounts = Accounts(pipeline="p")
    settle(accounts, FIRST_EVENTS - 1)
    settle(accounts, 1, queue=100 * MS)
    assert accounts.slowest() is None
    assert "tail" not in accounts.summary(1.0, 0.0)


def test_the_stage_with_most_more_than_usual_is_named_not_the_longest() -> None:
    accounts = Accounts(pipeline="p")
    settle(accounts, 1000)
    settle(accounts, 8, queue=15 * MS)
    tail = accounts.slowest()
    assert tail is not None
    assert tail.stage == "queue"  # broker has 20 ms of 45, as always
    assert tail.events == 8
    assert tail.mean_ns["queue"] == 17 * MS
    assert tail.mean_ns["broker"] == 20 * MS
    told = accounts.summary(1.0, 0.0)["tail"]
    assert told["stage"] == "queue"
    assert sum(tail.mean_ns.values()) == 45 * MS  # all of their latency, in one stage or another


def test_the_threshold_follows_the_load() -> None:
    accounts = Accounts(pipeline="p")
    settle(accounts, 5_000)
    before = accounts.tail.threshold_ns
    for _ in range(5):
        settle(accounts, 5_000, infer=70 * MS)
    after = accounts.tail.threshold_ns
    assert before is not None
    assert after is not None
    assert before < 31 * MS
    assert 100 * MS <= after < 103 * MS
    seen = accounts.tail.events
    settle(accounts, 5_000, infer=70 * MS)
    assert accounts.tail.events == seen


def test_workers_add_up() -> None:
    accounts, other = Accounts(pipeline="p"), Accounts(pipeline="p")
    for worker in (accounts, other):
        settle(worker, 1000)
    settle(accounts, 2, infer=90 * MS)
    settle(other, 6, emit=40 * MS)
    accounts.merge(pickle.loads(pickle.dumps(other)))  # noqa: S301
    tail = accounts.slowest()
    assert tail is not None
    assert tail.events == 8
    assert tail.stage == "emit"
    assert tail.mean_ns["infer"] == 3 * MS + 2 * 90 * MS / 8
