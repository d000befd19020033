"""Rows a CPU second from Arrow records of 500 rows, decided as columns and one by one, on one real Kafka broker.

`make bench`, or `python -m tests.benchmarks.arrow --help`. README.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import yaml
from confluent_kafka.admin import AdminClient

from streamproc.codecs.arrow import arrow_record
from tests.benchmarks import cpu_time
from tests.benchmarks.conditions import RESULTS, load_1m, machine, write_result
from tests.benchmarks.programs import Task, run_command, streamproc_config
from tests.benchmarks.workloads import FIRST_TS, KEYS, WORKLOADS
from tests.support import Background, wait_until
from tests.support.kafka import (
    BENCH_JVM,
    KafkaBroker,
    Message,
    create_topics,
    delete_topics,
    fill,
    stream,
    why_unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKLOAD = WORKLOADS["tick"]
ROWS = 500
PARTITIONS = 4
DECISIONS = ("arrow", "json")
LINE = "{:<18} {:>24} {:>26} {:>22}  {}"


@dataclass
class Run:
    """One run of streamproc.

    Attributes:
        decisions: ``arrow`` for columns, ``json`` for one a row.
        rows: how many it was given.
        cpu_s: CPU time from joining the group to the end, by its own account.
        life_cpu_s: all its CPU time, from the kernel: start, imports, model, work, shut-down.
        duration_s: from joining the group to the end.
        distinct: rows with a right decision.
        repeated: decisions beyond one a row.
        wrong: decisions with another class than the model's.
        status: its exit status.
        load_1m: the machine's load average before it.
    """

    decisions: str
    round: int
    rows: int
    load_1m: float
    cpu_s: float = 0.0
    life_cpu_s: float = 0.0
    duration_s: float = 0.0
    distinct: int = 0
    repeated: int = 0
    wrong: int = 0
    status: int = 0

    @property
    def per_cpu_s(self) -> float:
        """Rows a CPU second."""
        return self.rows / self.cpu_s if self.cpu_s else 0.0

    @property
    def life_per_cpu_s(self) -> float:
        """Rows a CPU second, start and end included."""
        return self.rows / self.life_cpu_s if self.life_cpu_s else 0.0

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.duration_s if self.duration_s else 0.0

    @property
    def fault(self) -> str:
        """What makes the run worthless; empty if nothing."""
        faults = {
            f"status {self.status}": self.status != 0,
            f"{self.rows - self.distinct} missing": self.distinct != self.rows,
            f"{self.repeated} repeated": self.repeated,
            f"{self.wrong} wrong": self.wrong,
        }
        return ", ".join(text for text, found in faults.items() if found)


class Bench:
    """One broker, the filled topic and the model, for all runs."""

    def __init__(self, broker: KafkaBroker, folder: Path, records: int) -> None:
        self._bootstrap = broker.bootstrap
        self._folder = folder
        self._records = records
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        self._model = folder / "model.onnx"
        WORKLOAD.write_model(self._model)
        self._right = np.array(WORKLOAD.right_answers(self._model))
        self.source = f"arrow-{records}"
        create_topics(self._bootstrap, self.source, partitions=PARTITIONS)
        fill(self._bootstrap, self.source, self._messages())

    def _messages(self) -> Iterator[Message]:
        """Record r is the next one of partition ``r % PARTITIONS``; row i has vector ``i % KEYS``."""
        features = np.array(WORKLOAD.vectors, np.float32)[np.arange(ROWS) % KEYS]
        for number in range(self._records):
            ts = np.arange(ROWS) + (FIRST_TS + number * ROWS)
            value = arrow_record({"ts": ts, "features": features})
            yield Message(value, partition=number % PARTITIONS)

    def run(self, decisions: str, number: int) -> Run:
        """Let streamproc decide all rows, and check what it decided."""
        run = Run(decisions, number, self._records * ROWS, load_1m=load_1m())
        sink = f"{decisions}-{uuid.uuid4().hex[:8]}"
        create_topics(self._bootstrap, sink, partitions=PARTITIONS)
        task = Task(
            workload=WORKLOAD,
            events=self._records,
            bootstrap=self._bootstrap,
            source=self.source,
            sink=sink,
            group=sink,
            model=self._model,
            folder=self._folder,
        )
        config = streamproc_config(task) | {
            "codec": {"arrow": {}},
            "decisions": {decisions: {}},
        }
        self._measure(run, task, config)
        if run.status == 0:
            self._check(run, sink)
        delete_topics(self._bootstrap, sink)
        return run

    def _measure(self, run: Run, task: Task, config: dict[str, Any]) -> None:
        file, stdout = (self._folder / f"{task.sink}{end}" for end in (".yaml", ".out"))
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        program = Background(
            run_command(file, task.events),
            log=self._folder / f"{task.sink}.log",
            stdout=stdout,
            env={"OMP_NUM_THREADS": "1"},
        )
        try:
            wait_until(
                "the end", lambda: cpu_time.has_ended(program.process), timeout_s=240, every_s=0.2
            )
        finally:
            if not cpu_time.has_ended(program.process):
                program.process.kill()
            run.life_cpu_s = cpu_time.collect(program.process)
        run.status = program.process.returncode
        if run.status:
            print(f"status {run.status}:\n{program.log_tail()}", file=sys.stderr)
            return
        summary = json.loads(stdout.read_text())
        run.cpu_s, run.duration_s = summary["cpu_s"], summary["duration_s"]

    def _check(self, run: Run, sink: str) -> None:
        read = _arrow_decisions if run.decisions == "arrow" else _json_decision
        seen = np.zeros(run.rows, np.int64)
        for message in stream(self._bootstrap, sink, timeout_s=120):
            row, label = read(message.value())
            right = label == self._right[row % ROWS % KEYS]
            run.wrong += int(np.count_nonzero(~right))
            np.add.at(seen, row[right], 1)
        run.distinct = int(np.count_nonzero(seen))
        run.repeated = int(seen.sum()) - run.distinct


def _number(partition: int, offset: Any, row: Any) -> Any:
    """The row's number among all rows of the topic."""
    return (offset * PARTITIONS + partition) * ROWS + row


def _arrow_decisions(value: bytes) -> tuple[Any, Any]:
    table = pa.ipc.open_stream(value).read_all()
    partition = int(table.schema.metadata[b"streamproc.partition"])
    labels = table.column("output").combine_chunks().field("label")
    places = np.array([WORKLOAD.labels.index(text) for text in labels.dictionary.to_pylist()])
    number = _number(
        partition, table.column("offset").to_numpy(), table.column("row").to_numpy().astype(int)
    )
    return number, places[labels.indices.to_numpy()]


def _json_decision(value: bytes) -> tuple[Any, Any]:
    decision = orjson.loads(value)
    _, partition, offset, row = decision["id"].rsplit("/", 3)
    number = _number(int(partition), int(offset), int(row))
    label = WORKLOAD.labels.index(decision["output"]["label"])
    return np.array([number]), np.array([label])


def summarise(runs: list[Run]) -> dict[str, Any]:
    """Medians by the form of the decisions."""
    summary: dict[str, Any] = {}
    for decisions in dict.fromkeys(run.decisions for run in runs):
        mine = [run for run in runs if run.decisions == decisions]
        summary[decisions] = {
            "rows_per_cpu_s": _spread([run.per_cpu_s for run in mine]),
            "life_rows_per_cpu_s": _spread([run.life_per_cpu_s for run in mine]),
            "rows_per_s": _spread([run.rate for run in mine]),
            "fault": "; ".join(sorted({run.fault for run in mine if run.fault})),
        }
    return summary


def _spread(values: list[float]) -> dict[str, int]:
    return {"median": round(median(values)), "min": round(min(values)), "max": round(max(values))}


def show(summary: dict[str, Any], rows: int) -> None:
    print(f"\nArrow records of {ROWS} rows: median (least - most)")
    print(LINE.format("decisions", "rows/CPU s", "life, rows/CPU s", "rows/s", "decided"))
    for decisions, found in summary.items():
        spreads = [
            _text(found[name]) for name in ("rows_per_cpu_s", "life_rows_per_cpu_s", "rows_per_s")
        ]
        print(LINE.format(decisions, *spreads, found["fault"] or f"all {rows:,} right"))


def _text(spread: dict[str, int]) -> str:
    return f"{spread['median']:,} ({spread['min'] / 1e3:.0f}k-{spread['max'] / 1e3:.0f}k)"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="arrow", description=__doc__)
    parser.add_argument("--records", type=int, default=4_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--decisions", default=",".join(DECISIONS), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one round of 400: whether it works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    options.decisions = options.decisions.split(",")
    if unknown := set(options.decisions) - set(DECISIONS):
        parser.error(f"no such decisions: {', '.join(unknown)}; there are {', '.join(DECISIONS)}")
    if options.quick:
        options.records, options.rounds = 400, 1
    return options


def main() -> int:
    """Run, print and write it; the exit status is 1 if any decision is missing or wrong."""
    options = arguments()
    if (lacking := why_unavailable()) is not None:
        print(lacking, file=sys.stderr)
        return 2
    began = datetime.now(UTC)
    runs = []
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-bench-") as folder,
        KafkaBroker(jvm=BENCH_JVM) as broker,
    ):
        bench = Bench(broker, Path(folder), options.records)
        bench.run(options.decisions[0], number=0)  # unmeasured: the broker's compiler gets warm
        for number in range(1, options.rounds + 1):
            turn = (number - 1) % len(options.decisions)
            for decisions in options.decisions[turn:] + options.decisions[:turn]:
                run = bench.run(decisions, number)
                runs.append(run)
                print(
                    f"round {number} {decisions}: {run.per_cpu_s:,.0f} rows/CPU s {run.fault}",
                    file=sys.stderr,
                )
    summary = summarise(runs)
    show(summary, options.records * ROWS)
    found = {
        "settings": {"rounds": options.rounds, "records": options.records, "rows": ROWS},
        "summary": summary,
        "runs": [asdict(run) | {"fault": run.fault} for run in runs],
    }
    file = write_result(options.out, "arrow", began, found)
    print(f"\n{machine()['cpu']}, {machine()['cores']} cores; written to {file}")
    return 1 if any(run.fault for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
