"""What a flood of malformed records does: each is a dead letter with its reason, in order, and good events cost what they did.

`make bench BENCH=malformed`, or `python -m tests.benchmarks.malformed --help`. README.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import urllib.request
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
import yaml

from streamproc.core import Reason
from tests.benchmarks.conditions import RESULTS, machine, write_result
from tests.benchmarks.cpu_time import Meter
from tests.benchmarks.workloads import Workload
from tests.integration.pipelines import Command, headers, letter_ids
from tests.support import free_port, wait_until
from tests.support.kafka import (
    BENCH_JVM,
    KafkaBroker,
    Message,
    committed,
    create_topics,
    end_offsets,
    fill,
    read,
    why_unavailable,
)
from tests.support.malformed import FIELDS, LENGTH, Malformed, corpus, valid

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 4
RATIO_MIN = 0.9
"""Of the rate before: what is less than the rounds differ from each other is no loss."""
TOKEN = "of-the-benchmark"
MODEL = Workload("four", (LENGTH, 16, 3), ("down", "flat", "up"), "", 1.0)
REASONS = frozenset(
    map(
        str,
        (
            Reason.EMPTY,
            Reason.UNDECODABLE,
            Reason.MISSING_FIELD,
            Reason.WRONG_TYPE,
            Reason.WRONG_LENGTH,
            Reason.NOT_FINITE,
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Round:
    """Records that were waiting, and what it took to deal with them.

    Attributes:
        what: which.
        records: how many.
        cpu_s: of the pipeline's process.
    """

    what: str
    records: int
    cpu_s: float

    @property
    def per_cpu_s(self) -> float:
        """Records a CPU second; it does not depend on who else wants the cores."""
        return self.records / max(self.cpu_s, 0.01)


class Trial:
    """A pipeline, as a program of its own, that is given records while it pauses; in a ``with`` block.

    Args:
        broker: where its topics are made.
        name: of the pipeline and its topics.
        folder: for its files.
        seed: of all records.
    """

    def __init__(self, broker: KafkaBroker, name: str, folder: Path, seed: int) -> None:
        self._bootstrap = broker.bootstrap
        self._seed = seed
        self._source, self._sink, self._letters = name, f"{name}-out", f"{name}.dlq"
        self._good = self._bad = 0
        self._expected: dict[str, Malformed] = {}
        """By id, in the order of each partition."""
        create_topics(self._bootstrap, self._source, self._sink, partitions=PARTITIONS)
        MODEL.write_model(folder / "model.onnx")
        port = free_port()
        self._address = f"http://127.0.0.1:{port}"
        config = folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump(self._config(name, f"127.0.0.1:{port}")))
        self._command = Command(config)

    def __enter__(self) -> Self:
        wait_until("it has begun", self._is_ready, 120)
        return self

    def __exit__(self, *_: object) -> None:
        self._command.kill()

    def good(self, count: int, what: str = "good") -> Round:
        """Let so many good events wait, and be decided."""
        rng = np.random.default_rng([self._seed, self._good])
        self._good += count
        return self._round(
            what, [Malformed(None, orjson.dumps(valid(rng)), ()) for _ in range(count)]
        )

    def malformed(self, count: int) -> Round:
        """The same of records that cannot be decided."""
        begin = end_offsets(self._bootstrap, self._source)
        records = list(corpus(self._seed, count))
        self._bad += count
        for number, record in enumerate(records):
            partition, place = number % PARTITIONS, number // PARTITIONS
            self._expected[f"{self._source}/{partition}/{begin[partition] + place}"] = record
        return self._round("malformed", records)

    def problems(self) -> list[str]:
        """End it, and look at the books: what does not hold, in words."""
        status = self._command.stop(60)
        if status != 0:
            return [f"it ended with {status}: {self._command.log_tail()}"]
        outcomes = self._command.answer()["outcomes"]
        wanted = {"on_time": self._good, "dead_letter": self._bad}
        found = [
            f"{name}: {outcomes[name]} of {count}"
            for name, count in wanted.items()
            if outcomes[name] != count
        ]
        found += [f"{n} {name}" for name, n in outcomes.items() if n and name not in wanted]
        decided = sum(end_offsets(self._bootstrap, self._sink).values())
        if decided != self._good:
            found.append(f"{decided} decisions of {self._good}")
        return found + list(self._letter_problems())

    def reasons(self) -> Counter[str]:
        """Of the dead letters."""
        letters = read(self._bootstrap, self._letters, at_least=self._bad)
        return Counter((headers(r)["streamproc-reason"] or b"").decode() for r in letters)

    def _letter_problems(self) -> Iterator[str]:
        """Each bad record once, as it came, with a reason, in its partition's order."""
        letters = read(self._bootstrap, self._letters, at_least=self._bad)
        for number in range(PARTITIONS):
            about = letter_ids(r for r in letters if r.partition == number)
            begin = f"{self._source}/{number}/"
            if about != [event for event in self._expected if event.startswith(begin)]:
                yield f"partition {number}: the dead letters are not those of the records, in order"
                return
        for letter, about in zip(letters, letter_ids(letters), strict=True):
            told, event = headers(letter), self._expected[about]
            reason = (told["streamproc-reason"] or b"").decode()
            if reason not in REASONS or not told["streamproc-detail"]:
                yield f"{about}: the reason {reason!r}, detail {told['streamproc-detail']!r}"
            if (letter.key, letter.value) != (event.key, event.value):
                yield f"{about}: the dead letter is not as the record was"

    def _config(self, name: str, listen: str) -> dict[str, Any]:
        return {
            "name": name,
            "source": {
                "kafka": {
                    "bootstrap_servers": self._bootstrap,
                    "topics": [self._source],
                    "auto_offset_reset": "earliest",
                    "commit_interval": "100ms",
                }
            },
            "codec": {"json": {"fields": FIELDS}},
            "features": ["f"],
            "deadline": {"budget": "10m"},
            "model": {"path": "model.onnx"},
            "output": {"labels": list(MODEL.labels), "scores": True},
            "sink": {"kafka": {"topic": self._sink}},
            "telemetry": {"metrics": {"listen": listen, "token": TOKEN}},
        }

    def _round(self, what: str, records: list[Malformed]) -> Round:
        self._post("pause")
        messages = (
            Message(value, key, more, number % PARTITIONS)
            for number, (key, value, more) in enumerate(records)
        )
        fill(self._bootstrap, self._source, messages)
        ends = end_offsets(self._bootstrap, self._source)
        meter = Meter(self._command.pid)
        self._post("resume")
        wait_until("all is committed", lambda: self._committed() == ends, 300)
        return Round(what, len(records), meter.own_s())

    def _committed(self) -> dict[int, int]:
        return committed(self._bootstrap, self._source, self._source)

    def _is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self._address}/readyz", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)

    def _post(self, what: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - on loopback
            f"{self._address}/api/{what}",
            method="POST",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def run(options: argparse.Namespace) -> tuple[list[Round], list[str], Counter[str]]:
    """The rounds, what does not hold, and the reasons of the dead letters."""
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-bench-") as folder,
        KafkaBroker(jvm=BENCH_JVM) as broker,
        Trial(broker, "malformed", Path(folder), options.seed) as trial,
    ):
        trial.good(options.events)  # unmeasured: all get warm
        rounds = [trial.good(options.events, "before") for _ in range(options.rounds)]
        rounds.append(trial.malformed(options.count))
        rounds += [trial.good(options.events, "after") for _ in range(options.rounds)]
        return rounds, trial.problems(), trial.reasons()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="malformed", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--events", type=int, default=50_000, help="good ones a round (default: %(default)s)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="short: whether it works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    if options.quick:
        options.count, options.events, options.rounds = 1_000, 2_000, 2
    return options


def main() -> int:
    """Run, print and write it; the exit status is 1 where something is lost, out of order, or slower afterwards."""
    options = arguments()
    if (lacking := why_unavailable()) is not None:
        print(lacking, file=sys.stderr)
        return 2
    began = datetime.now(UTC)
    rounds, problems, reasons = run(options)
    rates = {
        what: [found.per_cpu_s for found in rounds if found.what == what]
        for what in ("before", "malformed", "after")
    }
    ratio = median(rates["after"]) / median(rates["before"])
    print(
        f"{options.count:,} malformed records, seed {options.seed}: {dict(reasons.most_common())}"
    )
    for what, found in rates.items():
        spread = f" ({min(found):,.0f} to {max(found):,.0f})" if len(found) > 1 else ""
        print(f"{what:10} {median(found):>10,.0f} records a CPU second{spread}")
    print(
        f"after / before {ratio:.3f}; {'; '.join(problems) or 'all of them accounted for, in order'}"
    )
    settings = {name: getattr(options, name) for name in ("count", "events", "rounds", "seed")}
    result = {"settings": settings, "rates": rates, "ratio": ratio, "reasons": reasons, "problems": problems}  # fmt: skip
    file = write_result(options.out, "malformed", began, result)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    return int(bool(problems) or ratio < RATIO_MIN)


if __name__ == "__main__":
    sys.exit(main())
