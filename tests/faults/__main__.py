"""``make faults``: every scenario, or some, with one seed; prints a table, and writes it into the docs."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.benchmarks.conditions import commit, machine
from tests.faults.run import play
from tests.faults.scenario import all_scenarios, named
from tests.faults.table import table, write_table
from tests.support.kafka import KafkaCluster, kafka_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.run import Result
    from tests.faults.scenario import Scenario


SHARED_AT_A_TIME = 2
"""Most of a scenario is waiting: for a session to end, for a fault to be over, for a program to start."""

START_TRIES = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Play them; 0 where every promise was kept."""
    words = _words(argv)
    try:
        chosen = [named(name) for name in words.names] or list(all_scenarios())
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    if words.list:
        for each in chosen:
            print(f"{each.name:28} {'quick' if each.quick else '     '}  {each.fault}")
        return 0
    seed = words.seed or secrets.randbelow(10**6) + 1
    plays = [(each, seed + more) for each in chosen for more in range(words.seeds)]
    what = f"{len(plays)} plays on Kafka {kafka_version()}, seed {seed}"
    print(f"faults: {what}; again: make faults SEED={seed}", flush=True)
    note = f"seed {seed}, {datetime.now(UTC):%Y-%m-%d}, {_conditions()}"
    began_s, results = time.monotonic(), []
    order = {each.name: place for place, each in enumerate(chosen)}
    for result in _play(plays):
        results.append(result)
        results.sort(key=lambda result: (order[result.scenario.name], result.seed))
        if words.write:  # each time: a run that is broken off has not been for nothing
            write_table(results, note)
    print(table(results))
    note += f", {(time.monotonic() - began_s) / 60:.0f} minutes"
    print(f"faults: {note}")
    if words.write:
        write_table(results, note, whole=not words.names)
    failed = [result for result in results if not result.passed]
    for result in failed:
        again = f"make faults SEED={result.seed} FAULTS={result.scenario.name}"
        print(f"faults: not kept: {result.scenario.name}; again: {again}", file=sys.stderr)
    return bool(failed)


def _conditions() -> str:
    """The commit, and on what it is played."""
    on = machine()
    return f"commit {commit()}, Kafka {kafka_version()}, {on['cores']} cores ({on['cpu']})"


def _words(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios; all if none is named")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0 draws one")
    parser.add_argument("--seeds", type=int, default=1, help="play each with so many seeds")
    parser.add_argument("--list", action="store_true", help="show the scenarios, play none")
    parser.add_argument(
        "--write", action="store_true", help="write the results into docs/reliability.md"
    )
    return parser.parse_args(argv)


def _play(plays: Sequence[tuple[Scenario, int]]) -> Iterator[Result]:
    """Those that leave brokers and network alone some at a time, and beside them the others, on brokers of their own."""
    with ExitStack() as stack:
        lanes = []
        for shares, at_a_time in ((True, SHARED_AT_A_TIME), (False, 1)):
            lane = [(each, seed) for each, seed in plays if each.shares is shares]
            if lane:
                lanes.append((lane, at_a_time, _cluster(stack)))
        running: list[Future[Result]] = []
        for lane, at_a_time, cluster in lanes:
            pool = stack.enter_context(ThreadPoolExecutor(at_a_time))
            running += [pool.submit(play, cluster, each, seed) for each, seed in lane]
        for number, done in enumerate(as_completed(running), 1):
            yield _told(done.result(), f"{number}/{len(plays)}")


def _cluster(stack: ExitStack) -> KafkaCluster:
    """Start brokers; somebody else may have taken one of their ports since it was chosen."""
    for _ in range(START_TRIES - 1):
        try:
            return stack.enter_context(KafkaCluster())
        except (OSError, RuntimeError) as error:
            print(f"faults: {error}; starting other brokers", file=sys.stderr, flush=True)
    return stack.enter_context(KafkaCluster())


def _told(result: Result, number: str) -> Result:
    verdict = "kept" if result.passed else "NOT KEPT"
    what = f"{result.scenario.name}, seed {result.seed}"
    print(f"[{number}] {what}: {verdict} in {result.took_s:.0f} s: {result.said}", flush=True)
    if not result.passed:
        print(result.failure, file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
