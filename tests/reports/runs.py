"""Runs to report, made the way a pipeline makes them: books that grow, and a timeline that samples them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from streamproc.core import NS_PER_MS, NS_PER_S, Outcome, TopicPartition
from streamproc.reports import Check, Run
from streamproc.telemetry import STAGES, Accounts, Gauges, Timeline

BUDGET_NS = 50 * NS_PER_MS
BEGAN_NS = 1_750_000_000 * NS_PER_S
EVIL = "</title><script>alert(1)</script><img src=//evil.example/x onerror='alert(2)'>&\x00\x1b"
"""What somebody may call a topic."""

Step = Callable[[Accounts, np.random.Generator, int], None]
"""What happens in a quarter of a second, by its number."""


def made(step: Step | None, *, steps: int, every_ns: int = NS_PER_S // 4, name: str = "p") -> Run:
    rng = np.random.default_rng(7)
    accounts = Accounts(pipeline=name, exact_bounds_ns=[BUDGET_NS])
    timeline = Timeline(
        step_ns=every_ns * 4 // 5
    )  # as the samples of a service are a little further apart
    timeline.sample(accounts, Gauges(queue_depth=0), BEGAN_NS)
    for number in range(steps):
        if step is not None:
            step(accounts, rng, number)
        lag = {TopicPartition("t", 0): int(rng.integers(0, 40))} if step is not None else {}
        depth = int(rng.integers(0, 9)) if step is not None else 0
        now_ns = BEGAN_NS + (number + 1) * every_ns
        timeline.sample(accounts, Gauges(queue_depth=depth, lag_records=lag), now_ns)
    return Run(
        accounts=accounts,
        intervals=timeline.intervals(),
        began_ns=BEGAN_NS,
        duration_s=steps * every_ns / NS_PER_S,
        cpu_s=0.1,
        budget_ns=BUDGET_NS,
        facts={"Pipeline": {"reads": "ticks on localhost:9092", "writes": "decisions"}},
    )


def decide(accounts: Accounts, rng: np.random.Generator, count: int, scale: float = 1.0) -> None:
    """So many events pass all stages and are decided in time, or late where the scale is large."""
    total_ns = np.zeros(count, dtype=np.int64)
    for stage, mean_ms in zip(STAGES, (4, 0.3, 0.5, 1.5, 2), strict=True):
        spent_ns = (rng.gamma(3, mean_ms / 3, count) * scale * NS_PER_MS).astype(np.int64)
        accounts.stage(stage, spent_ns)
        total_ns += spent_ns
    accounts.latency(total_ns)
    late = int((total_ns > BUDGET_NS).sum())
    accounts.fetched += count
    accounts.settle(Outcome.LATE, late)
    accounts.settle(Outcome.ON_TIME, count - late)
    for size in (count - count // 3, count // 3):
        accounts.batch(max(size, 1), "idle" if size % 2 else "full")


def shed(accounts: Accounts, rng: np.random.Generator, count: int, reason: str = "expired") -> None:
    accounts.fetched += count
    accounts.stage("broker", (rng.gamma(3, 40, count) * NS_PER_MS).astype(np.int64))
    accounts.settle(Outcome.SHED, count, reason)


def good(steps: int = 32) -> Run:
    return made(lambda books, rng, _: decide(books, rng, 50), steps=steps)


def nothing_came() -> Run:
    return made(None, steps=8)


def all_shed() -> Run:
    return made(lambda books, rng, _: shed(books, rng, 30), steps=16)


def with_a_pause() -> Run:
    """For one second of ten nothing is quick enough."""

    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        paused = 20 <= number < 24
        decide(books, rng, 20, scale=20 if paused else 1)
        if paused:
            shed(books, rng, 60)

    return made(step, steps=40)


def failed() -> Run:
    return replace(
        good(6), failure="the broker at localhost:9092 is gone, and did not come back in 60 s"
    )


def failed_at_once() -> Run:
    return replace(made(None, steps=0), failure="topic ticks does not exist")


def broken_promise() -> Run:
    return replace(good(), checks=[Check("7 decisions in the topic."), Check("1 is missing", ok=False)])  # fmt: skip


def hours() -> Run:
    """Eight hours with a sample every ten seconds; the load follows a wave."""

    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        decide(books, rng, int(900 + 800 * np.sin(number / 150)))
        if number % 300 > 280:
            shed(books, rng, 500)

    return made(step, steps=2_880, every_ns=10 * NS_PER_S)


def of_everything() -> Run:
    """Every outcome and reason, names that are attacks, and long words."""
    kinds = [(one, EVIL if one is Outcome.DEAD_LETTER else "") for one in Outcome]

    def step(books: Accounts, rng: np.random.Generator, number: int) -> None:
        decide(books, rng, 12, scale=4)
        for outcome, reason in kinds:
            books.settle(outcome, 3 + number % 4, reason)
            books.fetched += 3 + number % 4
        books.handed_back += 1
        books.skips["retention"] += 20

    run = made(step, steps=20, name=EVIL)
    return replace(
        run,
        failure=EVIL,
        notes=[EVIL],
        checks=[Check(EVIL, ok=False), Check("x" * 300)],
        facts={EVIL: {EVIL: EVIL, "long": "y" * 400}},
    )


def all_runs() -> Iterator[tuple[str, Run]]:
    yield "good", good()
    yield "one interval", good(steps=1)
    yield "nothing came", nothing_came()
    yield "all shed", all_shed()
    yield "with a pause", with_a_pause()
    yield "failed", failed()
    yield "failed at once", failed_at_once()
    yield "broken promise", broken_promise()
    yield "hours", hours()
    yield "of everything", of_everything()
    yield "deadline from arrival", replace(good(), from_event_time=False)
