"""What objectives count in the books."""

import numpy as np
import pytest

from streamproc.core import NS_PER_MS, Duration, Outcome
from streamproc.slo import Counts, LabelCounts, Labels, Objective, count
from streamproc.telemetry import Accounts

FIFTY_MS = Duration.parse("50ms")


@pytest.fixture
def accounts() -> Accounts:
    books = Accounts(
        pipeline="p", lanes=("fast", "default"), exact_bounds_ns=[FIFTY_MS, 30 * NS_PER_MS]
    )
    books.settle(Outcome.ON_TIME, 60, lane=0)
    books.settle(Outcome.ON_TIME, 30, lane=1)
    books.settle(Outcome.DEGRADED, 4, lane=1)
    books.settle(Outcome.LATE, 3, lane=1)
    books.settle(Outcome.SHED, 2, "expired", lane=-1)
    books.settle(Outcome.DEAD_LETTER, 1, "empty", lane=0)
    books.settle(Outcome.FILTERED, 50, lane=0)
    books.latency(np.full(90, 50 * NS_PER_MS))
    books.latency(np.full(10, 50 * NS_PER_MS + 1))
    books.stage("broker", np.array([10, 31], dtype=np.int64) * NS_PER_MS)
    return books


@pytest.mark.parametrize(
    ("objective", "counts"),
    [
        (Objective("o", 99, good="on_time"), Counts(100, 10)),
        (Objective("o", 99, good=("on_time", "degraded")), Counts(100, 6)),
        (Objective("o", 99, bad="shed"), Counts(100, 2)),
        (Objective("o", 99, bad=("shed", "dead_letter")), Counts(100, 3)),
        (Objective("o", 99, bad="degraded"), Counts(100, 4)),
        (Objective("o", 99, good="on_time", lane="fast"), Counts(61, 1)),
        (Objective("o", 99, latency=FIFTY_MS), Counts(100, 10)),
        (Objective("o", 99, freshness=Duration.parse("30ms")), Counts(2, 1)),
        (Objective("o", 99, labels=Labels("truth")), Counts(9, 2)),
    ],
)
def test_events_and_the_bad_ones(accounts: Accounts, objective: Objective, counts: Counts) -> None:
    assert count(objective, accounts, LabelCounts(7, 2)) == counts
