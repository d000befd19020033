"""The pipeline under more load than its model can do, on a real broker: what is still answered in time.

    python -m tests.benchmarks.overload             # ramp, overload, lanes, ladder, skip_ahead, demand: 15 minutes
    python -m tests.benchmarks.overload --seconds 10 --scenarios ramp,overload

The model takes 10 ms for a batch and 2 ms for each event of it, by sleeping, within a budget of 200 ms: so it, and not
the machine, is what there is too little of. In time is judged from outside: the decision says ``on_time`` (or ``degraded``), and the broker's clock
(LogAppendTime) had it before its deadline. Exit status 1 where what is promised is not kept.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import yaml

from streamproc.replay.simulation import (
    Machine,
    Rules,
    SimulatedVariant,
    Traffic,
    simulate,
    straight_line,
)
from streamproc.scheduling import Batching, LaneSpec
from tests.benchmarks import paced
from tests.benchmarks.conditions import RESULTS, load_1m, machine, write_result
from tests.benchmarks.workloads import WORKLOADS
from tests.support import Background, free_port, wait_until
from tests.support.kafka import (
    KafkaBroker,
    create_topics,
    delete_topics,
    end_offsets,
    stream,
    why_unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MS = 1_000_000
BUDGET_MS = 200
FIXED_US, PER_EVENT_US, SIZE_MAX = 10_000, 2_000, 64
SCENARIOS = ("ramp", "overload", "lanes", "ladder", "skip_ahead", "demand")
RAMP = range(200, 501, 25)
RAMP_S = 6
OBJECTIVE = 0.99


@dataclass(slots=True)
class Decided:
    """What was decided, as an independent consumer reads it: a row a decision.

    Attributes:
        due_ns: when its event was due.
        good: whether it says to be in time, and the broker had it by then.
        said: whether it says to be in time.
        decided_ns: when it was decided.
        urgent: whether its event was.
        outcome: its word.
        variant: the variant of the model that made it.
    """

    due_ns: np.ndarray[Any, np.dtype[np.int64]]
    good: np.ndarray[Any, np.dtype[np.bool_]]
    said: np.ndarray[Any, np.dtype[np.bool_]]
    decided_ns: np.ndarray[Any, np.dtype[np.int64]]
    urgent: np.ndarray[Any, np.dtype[np.bool_]]
    outcome: list[str]
    variant: list[str]


@dataclass(slots=True)
class Live:
    """A pipeline that runs, and what feeds it."""

    config: dict[str, Any]
    source: str
    sink: str
    port: int
    program: Background
    stdout: Path
    scrapes: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def scrape(self) -> dict[str, float]:
        """The metrics, by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        found = {}
        for text in lines:
            if text and not text.startswith("#"):
                name, _, value = text.rpartition(" ")
                found[name] = float(value)
        self.scrapes.append((time.time(), found))
        return found


class Bench:
    """Runs the scenarios on one broker.

    Args:
        bootstrap: the broker.
        folder: for files.
        seconds: how long a load is held.
    """

    def __init__(self, bootstrap: str, folder: Path, seconds: float) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self.seconds = seconds
        self._model = folder / "tick.onnx"
        WORKLOADS["tick"].write_model(self._model)
        self.capacity = 0.0

    def config(self, source: str, sink: str, port: int, more: Mapping[str, Any]) -> dict[str, Any]:
        """The pipeline; everything unsaid has its default."""
        return {
            "name": source,
            "source": {
                "kafka": {
                    "bootstrap_servers": self._bootstrap,
                    "topics": [source],
                    "auto_offset_reset": "earliest",
                }
            },
            "codec": {"json": {"fields": {"ts": "int64", "urgent": "int64", "f": "float32[16]"}}},
            "event_time": {"field": "ts", "unit": "ns"},
            "features": ["f"],
            "deadline": {"budget": f"{BUDGET_MS}ms"},
            "batching": {"max_size": SIZE_MAX},
            "model": {"path": str(self._model), "executor": _device(1)},
            "sink": {"kafka": {"topic": sink}},
            "outcomes": {"dead_letter_topic": None},
            "telemetry": {"metrics": {"listen": f"127.0.0.1:{port}"}},
        } | dict(more)

    def start(self, more: Mapping[str, Any]) -> Live:
        """Start a pipeline on topics of its own, and wait until it is ready."""
        unique = f"load-{uuid.uuid4().hex[:8]}"
        source, sink, port = f"{unique}-in", f"{unique}-out", free_port()
        create_topics(self._bootstrap, source, partitions=4)
        create_topics(
            self._bootstrap, sink, partitions=4, config={"message.timestamp.type": "LogAppendTime"}
        )
        return self.restart(
            Live(
                self.config(source, sink, port, more),
                source,
                sink,
                port,
                None,
                self._folder / f"{unique}.json",
            )
        )  # type: ignore[arg-type]  # started below

    def restart(self, live: Live) -> Live:
        """Start a pipeline that was stopped, or never ran."""
        file = self._folder / f"{live.source}.yaml"
        file.write_text(yaml.safe_dump(live.config, sort_keys=False))
        live.program = Background(
            [sys.executable, "-m", "streamproc", "run", str(file), "--json"],
            log=self._folder / f"{live.source}.log",
            stdout=live.stdout,
        )

        def ready() -> bool:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{live.port}/readyz", timeout=2
            ) as answer:
                return answer.status == 200

        def ready_or_dead() -> bool:
            return not live.program.running or ready()

        wait_until("the pipeline", ready_or_dead, timeout_s=60)
        if not live.program.running:
            msg = f"the pipeline ended at once: {live.program.log_tail()}"
            raise RuntimeError(msg)
        return live

    def load(self, live: Live, steps: list[tuple[float, float]], *, urgent: float = 0.2,
             every_s: float = 1.0, seed: int = 1) -> dict[str, Any]:  # fmt: skip
        """Send a load, looking at the metrics all the while; gives what the generator says."""
        answer = self._folder / f"{live.source}-{uuid.uuid4().hex[:6]}.json"
        generator = self.generate(live.source, steps, answer, urgent=urgent, seed=seed)
        while generator.running:
            live.scrape()
            time.sleep(every_s)
        told = json.loads(answer.read_text())
        if told["not_delivered"]:
            msg = f"the generator could not deliver {told['not_delivered']} events"
            raise RuntimeError(msg)
        return dict(told)

    def generate(
        self,
        topic: str,
        steps: list[tuple[float, float]],
        answer: Path,
        *,
        urgent: float,
        seed: int,
    ) -> Background:
        """Start the generator."""
        given = {
            "--bootstrap": self._bootstrap,
            "--topic": topic,
            "--steps": ",".join(f"{rate:g}x{seconds:g}" for rate, seconds in steps),
            "--urgent": str(urgent),
            "--seed": str(seed),
        }
        command = [sys.executable, "-m", "tests.benchmarks.paced", *itertools.chain(*given.items())]
        return Background(command, log=answer.with_suffix(".log"), stdout=answer)

    def stop(self, live: Live) -> dict[str, Any]:
        """End a pipeline; gives its summary."""
        live.program.stop(timeout_s=60)
        *_, last = live.stdout.read_text().splitlines()  # one line a life
        return dict(json.loads(last))

    def decided(self, live: Live) -> Decided:
        """What stands in the topic of decisions."""
        rows, words, variants = [], [], []
        for message in stream(self._bootstrap, live.sink, timeout_s=120):
            value = orjson.loads(message.value())
            said = value["outcome"] in ("on_time", "degraded")
            # The broker's clock tells whole milliseconds: one within the deadline's has been in time.
            good = said and message.timestamp()[1] <= value["deadline_ns"] // MS
            urgent = not (value["key"] or "").startswith("other-")
            rows.append((value["event_time_ns"], good, said, value["decided_ns"], urgent))
            words.append(value["outcome"])
            variants.append(value["model"]["variant"])
        table = np.array(rows, np.int64).reshape(-1, 5)
        flags = table[:, [1, 2, 4]].astype(bool)
        return Decided(
            table[:, 0], flags[:, 0], flags[:, 1], table[:, 3], flags[:, 2], words, variants
        )

    def clean(self, live: Live) -> None:
        """Remove what a scenario left on the broker."""
        delete_topics(self._bootstrap, live.source, live.sink)

    def ramp(self) -> dict[str, Any]:
        """The capacity: the highest rate of which 99% are in time."""
        live = self.start({})
        self.load(live, [(150, 3)])
        told = self.load(live, [(rate, RAMP_S) for rate in RAMP])
        self.stop(live)
        seen = self.decided(live)
        steps = {}
        offered = paced.schedule(np.random.default_rng(1), [(r, RAMP_S) for r in RAMP]) / 1e9
        at_s = (seen.due_ns - told["begun_ns"]) / 1e9
        for number, rate in enumerate(RAMP):
            begin, end = number * RAMP_S, (number + 1) * RAMP_S
            came = int(((offered >= begin) & (offered < end)).sum())
            good = int((seen.good & (at_s >= begin) & (at_s < end)).sum())
            steps[rate] = round(good / came, 4)
        held = [rate for rate, share in steps.items() if share >= OBJECTIVE]
        self.capacity = float(max(held, default=0))
        self.clean(live)
        return {"in_time_by_rate": steps, "capacity_per_s": self.capacity, "kept": bool(held),
                "generator_lag_ms": told["lag_ms"]}  # fmt: skip

    def overload(self) -> dict[str, Any]:
        """Goodput at 1, 2 and 4 times the capacity."""
        found: dict[str, Any] = {}
        for times in (1, 2, 4):
            live = self.start({})
            self.load(live, [(150, 3)])
            told = self.load(live, [(times * self.capacity, self.seconds)])
            summary = self.stop(live)
            seen = self.decided(live)
            own = seen.due_ns >= told["begun_ns"]
            found[f"{times}x"] = {
                "offered_per_s": round(told["events"] / self.seconds, 1),
                "goodput_per_s": round(int((seen.good & own).sum()) / self.seconds, 1),
                "said_in_time_but_late_at_the_broker": int((seen.said & ~seen.good & own).sum()),
                "published_late": sum(word == "late" for word in seen.outcome),
                "queue_p99_ms_first_last_10_s": self._queue_p99(live, told["begun_ns"] / 1e9),
                "outcomes": {k: v for k, v in summary["outcomes"].items() if v},
                "reasons": summary["reasons"],
                "adds_up": sum(summary["outcomes"].values()) == summary["consumed"],
                "generator_lag_ms": told["lag_ms"],
            }
            self.clean(live)
        base = found["1x"]["goodput_per_s"]
        for times in ("2x", "4x"):
            found[times]["of_1x"] = round(found[times]["goodput_per_s"] / base, 3)
        found["kept"] = all(
            found[times]["of_1x"] >= 0.9 and found[times]["adds_up"] for times in ("2x", "4x")
        )
        return found

    def lanes(self) -> dict[str, Any]:
        """A high lane with a fifth of the traffic, under 2 and 4 times the capacity."""
        lanes = {"lanes": [{"name": "urgent", "when": "urgent == 1", "priority": 0}]}
        found: dict[str, Any] = {}
        for times in (2, 4):
            live = self.start(lanes)
            self.load(live, [(150, 3)])
            told = self.load(live, [(times * self.capacity, self.seconds)])
            summary = self.stop(live)
            seen = self.decided(live)
            own = seen.due_ns >= told["begun_ns"]
            rng = np.random.default_rng(1)
            due = paced.schedule(rng, [(times * self.capacity, self.seconds)])
            urgent = rng.random(len(due)) < 0.2
            found[f"{times}x"] = {
                "urgent_events": int(urgent.sum()),
                "urgent_in_time": round(
                    int((seen.good & own & seen.urgent).sum()) / int(urgent.sum()), 4
                ),
                "goodput_per_s": round(int((seen.good & own).sum()) / self.seconds, 1),
                "adds_up": sum(summary["outcomes"].values()) == summary["consumed"],
            }
            self.clean(live)
        found["kept"] = all(one["urgent_in_time"] >= OBJECTIVE for one in found.values())
        return found

    def ladder(self) -> dict[str, Any]:
        """Three variants, under twice the capacity of the best."""
        variants = [
            {"name": name, "path": str(self._model), "quality": quality, "executor": _device(part)}
            for name, quality, part in (("full", 1.0, 1), ("half", 0.97, 2), ("quarter", 0.9, 4))
        ]
        live = self.start({"model": {"variants": variants}})
        self.load(live, [(150, 3)])
        calm = self.capacity / 3
        steps = [(calm, 5.0), (2 * self.capacity, self.seconds), (calm, 10.0)]
        told = self.load(live, steps)
        summary = self.stop(live)
        seen = self.decided(live)
        at_s = (seen.due_ns - told["begun_ns"]) / 1e9
        # By the variant, not by the outcome: a late decision of a cheaper one is no `degraded`.
        degraded = np.array([name != "full" for name in seen.variant])
        end = 5.0 + self.seconds
        came = paced.schedule(np.random.default_rng(1), steps) / 1e9
        loaded = (at_s >= 5.0) & (at_s < end)
        after = at_s >= end
        last = float(at_s[after & degraded].max(initial=end)) - end
        order = np.argsort(seen.decided_ns)
        changes = np.flatnonzero(np.diff(degraded[order].astype(int)))
        begun_ns = int(told["begun_ns"])
        found = {
            "in_time_under_load": round(
                int((seen.good & loaded).sum()) / int(((came >= 5.0) & (came < end)).sum()), 4
            ),
            "degraded_share": round(float(degraded[loaded].mean()), 3),
            "last_degraded_after_load_s": round(last, 3),
            "changes_between_best_and_others": len(changes),
            "changed_at_s": [
                round((int(seen.decided_ns[order[place + 1]]) - begun_ns) / 1e9, 2)
                for place in changes[:20]
            ],
            "outcomes": {k: v for k, v in summary["outcomes"].items() if v},
        }
        self.clean(live)
        found["kept"] = found["in_time_under_load"] >= 0.95 and last <= 2.0
        return found

    def skip_ahead(self) -> dict[str, Any]:
        """Down for a minute under 5,000 events a second, then up again."""
        rate, down_s = 5_000.0, 60.0
        quick = {"simulated": {"fixed": "1ms", "per_event": "20us"}}
        live = self.start(
            {
                "model": {"path": str(self._model), "executor": quick},
                "batching": {"max_size": 256},
                "shed": ["expired", "planner", "skip_ahead"],
                "event_time": {},  # the record's timestamp: what is jumped over is found by it
            }
        )
        self.load(live, [(rate, 5)])
        before = self.stop(live)
        answer = self._folder / f"{live.source}-down.json"
        generator = self.generate(live.source, [(rate, down_s + 15)], answer, urgent=0.2, seed=2)
        time.sleep(down_s)
        began_ns = time.time_ns()
        self.restart(live)
        ready_ns = time.time_ns()
        while generator.running:
            live.scrape()
            time.sleep(0.5)
        after = self.stop(live)
        seen = self.decided(live)
        good_ns = seen.decided_ns[seen.good & (seen.decided_ns > began_ns)]
        new = seen.due_ns > ready_ns + MS * 1_000
        ends = sum(end_offsets(self._bootstrap, live.source).values())
        accounted = before["consumed"] + after["consumed"] + after["skipped"]
        found = {
            "first_on_time_after_ready_s": round((int(good_ns.min()) - ready_ns) / 1e9, 3),
            "first_on_time_after_start_s": round((int(good_ns.min()) - began_ns) / 1e9, 3),
            "skipped": after["skipped"],
            "shed": after["outcomes"]["shed"],
            "in_time_afterwards": round(float(seen.good[new].mean()), 4),
            "records_in_topic": ends,
            "accounted_for": accounted,
        }
        self.clean(live)
        found["kept"] = accounted == ends and found["first_on_time_after_ready_s"] <= 0.5
        return found

    def demand(self) -> dict[str, Any]:
        """A step from the capacity to three times it: what the metric says, and what a simulation says."""
        live = self.start({})
        self.load(live, [(150, 3)])
        steps = [(self.capacity, 20.0), (3 * self.capacity, 20.0)]
        told = self.load(live, steps)
        emit_ms = self.stop(live)["stages_ms"]["emit"]["p99"]
        step_s = told["begun_ns"] / 1e9 + 20.0
        series = [
            (round(at - step_s, 1), round(metrics.get("streamproc_demand_workers", 0.0), 2),
             sum(v for k, v in metrics.items() if k.startswith("streamproc_consumer_lag_records")))
            for at, metrics in live.scrapes
        ]  # fmt: skip
        at_15 = [one for one in series if one[0] <= 15.0][-1]
        wanted = _workers_needed(3 * self.capacity, send_ns=round(emit_ms * MS))
        self.clean(live)
        return {
            "metric_15_s_after_the_step": at_15[1],
            "workers_by_simulation": wanted,
            "emit_p99_ms": emit_ms,
            "lag_records_then": at_15[2],
            "series": series[:: max(1, len(series) // 20)],
            "kept": abs(at_15[1] - wanted) <= 1.0,
        }

    def _queue_p99(self, live: Live, begun_s: float) -> list[float]:
        """The queue stage's p99 in ms in the first and the last 10 s of a load, by its histogram."""
        inside = [(at, m) for at, m in live.scrapes if at >= begun_s]
        span = min(10.0, self.seconds / 3)
        first = [inside[0][1], next(m for at, m in inside if at >= begun_s + span)]
        last = [next(m for at, m in inside if at >= inside[-1][0] - span), inside[-1][1]]
        return [round(_p99_ms(*pair), 2) for pair in (first, last)]


def _device(part: int) -> dict[str, Any]:
    """One that takes this part of the time."""
    fixed_us, per_event_us = FIXED_US // part, PER_EVENT_US // part
    return {"simulated": {"fixed": f"{fixed_us}us", "per_event": f"{per_event_us}us"}}


def _p99_ms(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """The 99th percentile of what a histogram took in between two looks, within its bucket by interpolation."""
    buckets = []
    for name, value in after.items():
        if name.startswith("streamproc_stage_latency_seconds_bucket{") and 'stage="queue"' in name:
            bound = float(name.partition('le="')[2].partition('"')[0].replace("+Inf", "inf"))
            buckets.append((bound, value - before.get(name, 0.0)))
    buckets.sort()
    rank = 0.99 * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            return 1e3 * (low + (bound - low) * (rank - below) / max(count - below, 1e-9))
        low, below = bound, count
    return 1e3 * low


def _workers_needed(rate: float, *, send_ns: int) -> int:
    """The fewest workers of which, each with its part of the load, 99% is in time, sending as long as was measured."""
    run_ns = straight_line(
        fixed_ns=FIXED_US * 1_000, per_event_ns=PER_EVENT_US * 1_000, size_max=SIZE_MAX
    )
    for workers in range(1, 65):
        rng = np.random.default_rng(3)
        due = paced.schedule(rng, [(rate / workers, 20.0)])
        traffic = Traffic(arrival_ns=due, deadline_ns=due + BUDGET_MS * MS)
        result = simulate(
            traffic,
            Machine(variants=[SimulatedVariant(run_ns)], send_ns=send_ns),
            Rules(
                batching=Batching(max_size=SIZE_MAX),
                lanes=[LaneSpec("default", budget_ns=BUDGET_MS * MS)],
            ),
            rng=rng,
        )
        if result.in_time >= OBJECTIVE * len(due):
            return workers
    return 64


def main() -> int:
    """Run, print and write it."""
    parser = argparse.ArgumentParser(prog="overload", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of each load (default: %(default)s)"
    )
    parser.add_argument(
        "--capacity", type=float, default=0.0, help="events a second; 0 finds it by the ramp"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    if why := why_unavailable():
        parser.error(why)
    began = datetime.now(UTC)
    wanted = options.scenarios.split(",")
    if not options.capacity and "ramp" not in wanted:
        wanted.insert(0, "ramp")
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-overload-") as folder,
        KafkaBroker() as broker,
    ):
        bench = Bench(broker.bootstrap, Path(folder), options.seconds)
        bench.capacity = options.capacity
        scenarios: dict[str, Callable[[], dict[str, Any]]] = {
            name: getattr(bench, name) for name in SCENARIOS
        }
        for name in wanted:
            found[name] = {"load_1m": load_1m()} | scenarios[name]()
            print(f"{name}: {json.dumps(found[name], indent=1)}", flush=True)
    file = write_result(
        options.out, "overload", began, {"seconds": options.seconds, "found": found}
    )
    kept = Counter(bool(one["kept"]) for one in found.values())
    print(f"\n{kept[True]} of {len(found)} kept; {machine()['cpu']}; written to {file}")
    return 1 if kept[False] else 0


if __name__ == "__main__":
    raise SystemExit(main())
