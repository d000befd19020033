"""``make faults``: every scenario, or some, with one seed; prints a table, and writes it into the docs."""

from __future__ import annotations

import argparse
import secrets
import sys
from typing import TYPE_CHECKING

from tests.faults.run import play
from tests.faults.scenario import all_scenarios, named
from tests.faults.table import table, write_table
from tests.support.kafka import KafkaCluster, kafka_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.run import Result
    from tests.faults.scenario import Scenario


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
    results = _play(plays)
    print(table(results))
    if words.write:
        write_table(results)
    failed = [result for result in results if not result.passed]
    for result in failed:
        again = f"make faults SEED={result.seed} FAULTS={result.scenario.name}"
        print(f"faults: not kept: {result.scenario.name}; again: {again}", file=sys.stderr)
    return bool(failed)


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


def _play(plays: Sequence[tuple[Scenario, int]]) -> list[Result]:
    results = []
    with KafkaCluster() as cluster:
        for number, (each, seed) in enumerate(plays, 1):
            print(f"[{number}/{len(plays)}] {each.name}, seed {seed}: {each.fault}", flush=True)
            result = play(cluster, each, seed)
            results.append(result)
            verdict = "kept" if result.passed else "NOT KEPT"
            print(f"    {verdict} in {result.took_s:.0f} s: {result.said}", flush=True)
            if not result.passed:
                print(result.failure, file=sys.stderr, flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
