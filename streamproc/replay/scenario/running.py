"""A scenario, played on the virtual clock and held against what it asserts."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamproc.config import load
from streamproc.connectors.capture import CaptureReader
from streamproc.core import (
    BoolArray,
    ConfigError,
    Executor,
    Int64Array,
    Outcome,
    OutRecords,
    TopicPartition,
)
from streamproc.engine import Settled
from streamproc.replay.playback import (
    Playback,
    Replayed,
    ReplayMachine,
    TableHistory,
    answering,
    arrivals,
    replay_virtual,
    table_history,
    timing,
)
from streamproc.replay.scenario.disturbed import FaultyMachine, disturbed
from streamproc.replay.scenario.golden import Golden
from streamproc.replay.scenario.options import Scenario
from streamproc.replay.scenario.recorded_batches import read_batches
from streamproc.runtime import Assembly, Pipeline, Sweep, machine_facts
from streamproc.telemetry import Accounts

MACHINE_FACTS = ("machine", "cpu_features", "numpy", "onnxruntime")
"""What the bytes of a model's outputs depend on; that it is another processor with the same features does not matter."""
_PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}


class Verdict(NamedTuple):
    """One thing that is asserted.

    Attributes:
        name: which.
        observed: what came, in words.
        wanted: what was wanted, in words.
        is_ok: False where it is violated.
    """

    name: str
    observed: str
    wanted: str
    is_ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """What came of a scenario.

    Attributes:
        scenario: which.
        replayed: the replay.
        golden: what it came to, to be kept.
        verdicts: what it asserts, each with what came.
        notes: what could not be compared, and why.
    """

    scenario: Scenario
    replayed: Replayed
    golden: Golden
    verdicts: Sequence[Verdict]
    notes: Sequence[str]

    @property
    def is_ok(self) -> bool:
        """False where something asserted is violated."""
        return all(verdict.is_ok for verdict in self.verdicts)


def run_scenario(scenario: Scenario, folder: Path, *, compare: bool = True) -> ScenarioResult:
    """Play a scenario to its end.

    Args:
        scenario: what is played.
        folder: where its relative paths start from.
        compare: False leaves the golden file out, such as when it is written anew.

    Raises:
        ConfigError: its files cannot be read, or do not fit.
    """
    pipeline = Pipeline.from_file(load(folder / scenario.config, overrides=scenario.set))
    recording = folder / scenario.recording
    rng = np.random.default_rng(scenario.seed)
    batches = read_batches(recording, scenario, tuple(pipeline.source.topics))
    if not batches:
        msg = f"{recording} has nothing in the part that {scenario.name} plays"
        raise ConfigError(msg)
    batches = disturbed(batches, scenario.faults, rng)
    executors = answering(pipeline, outputs=scenario.outputs)
    seen = _Seen()
    try:
        replayed = replay_virtual(
            pipeline,
            arrivals(
                lambda: batches,
                Playback(speed=scenario.speed, load=scenario.load, seed=scenario.seed),
            ),
            executors=executors,
            machine=_machine(scenario, pipeline, executors, recording),
            seed=scenario.seed,
            attach=seen.attach,
            disturbance=FaultyMachine(scenario.faults, batches[0].arrival_ns),
            tables=_tables(pipeline, recording),
        )
    finally:
        for executor in executors:
            executor.close()
    golden = seen.golden(replayed.accounts, with_decisions=scenario.outputs)
    verdicts = list(_verdicts(scenario, replayed.accounts))
    notes: list[str] = []
    if scenario.assert_.golden is not None and compare:
        kept = Golden.read(folder / scenario.assert_.golden)
        more, notes = _against(golden, kept)
        verdicts += more
    return ScenarioResult(
        scenario=scenario, replayed=replayed, golden=golden, verdicts=verdicts, notes=notes
    )


class _Seen:
    """Sums up what comes of a replay; nothing in it grows with the events."""

    def __init__(self) -> None:
        self._outcomes = hashlib.sha256()
        self._decisions = hashlib.sha256()
        self._now_ns: Callable[[], int] = lambda: 0

    def attach(self, assembly: Assembly, now_ns: Callable[[], int]) -> None:
        """See ``Attach``."""
        self._now_ns = now_ns
        assembly.settlement.tap = self

    def sent(
        self,
        source: TopicPartition,  # noqa: ARG002 - see Tap
        offset: Int64Array,  # noqa: ARG002
        records: OutRecords,
        settled: Settled,  # noqa: ARG002
    ) -> None:
        """See ``Tap``."""
        for value in records.value:
            self._decisions.update(b"%d\n" % self._now_ns() + (value or b"") + b"\n")

    def ended(
        self,
        source: TopicPartition,
        offset: Int64Array,
        settled: Settled,
        missed: BoolArray,
        final_ns: int,
    ) -> None:
        """See ``Tap``."""
        for number, was_missed in zip(offset.tolist(), missed.tolist(), strict=True):
            outcome = Outcome.LATE if was_missed else settled.outcome
            told = f"{source.topic}/{source.partition}/{number} {outcome.word} {settled.reason} {final_ns}\n"
            self._outcomes.update(told.encode())

    def golden(self, accounts: Accounts, *, with_decisions: bool) -> Golden:
        facts = machine_facts()
        counts: Counter[str] = Counter()
        for (outcome, reason), number in accounts.settled.items():
            if number:
                counts[f"{outcome.word} {reason}".strip()] += number
        return Golden(
            counts=counts,
            outcomes=f"sha256:{self._outcomes.hexdigest()}",
            decisions=f"sha256:{self._decisions.hexdigest()}" if with_decisions else "",
            machine={name: facts[name] for name in MACHINE_FACTS if name in facts},
        )


def _machine(
    scenario: Scenario, pipeline: Pipeline, executors: Sequence[Executor], recording: Path
) -> ReplayMachine:
    """How long everything takes; nothing is measured, so that a scenario ends alike everywhere."""
    if not scenario.batch_time:
        capture = CaptureReader(recording) if recording.suffix == ".mcap" else None
        known = timing(pipeline, executors, capture, send_ns=scenario.send)
        if known.measured:
            msg = (
                f"{scenario.name} does not say how long batches take, and would not end alike twice: give it "
                "batch_time: [{fixed: 1ms, per_event: 50us}]"
            )
            raise ConfigError(msg)
        return known.machine
    if len(scenario.batch_time) != len(executors):
        msg = f"batch_time of {scenario.name} has {len(scenario.batch_time)} entries; the model has {len(executors)} variants"
        raise ConfigError(msg)
    sizes = range(1, pipeline.batching.max_size + 1)
    sweeps: list[Sweep] = [
        (sizes, [one.fixed + one.per_event * size for size in sizes]) for one in scenario.batch_time
    ]
    return ReplayMachine(sweeps=sweeps, send_ns=np.array([int(scenario.send)]), origin="scenario")


def _tables(pipeline: Pipeline, recording: Path) -> TableHistory | None:
    """What lookups into topics found; a scenario that does not know it would assert nothing."""
    found = table_history(
        pipeline, CaptureReader(recording) if recording.suffix == ".mcap" else None
    )
    if found is not None and found.missing is not None:
        raise ConfigError(found.missing)
    return found


def _verdicts(scenario: Scenario, accounts: Accounts) -> Iterator[Verdict]:
    """What is asserted of numbers and latencies."""
    wanted, consumed = scenario.assert_, accounts.consumed
    numbers = {outcome.word: number for outcome, number in accounts.outcomes.items()}
    numbers["in_time"] = numbers["on_time"] + numbers["degraded"]
    for name in ("in_time", "on_time", "degraded", "late", "shed", "dead_letter"):
        limit = getattr(wanted, name)
        if limit is not None:
            number = numbers[name]
            share = 100 * number / consumed if consumed else 0.0
            yield Verdict(
                name,
                f"{number:,} of {consumed:,} ({share:.2f}%)",
                str(limit),
                limit.allows(number, consumed),
            )
    latency = accounts.e2e.counts()
    for name, q in _PERCENTILES.items():
        most = getattr(wanted, name)
        if most is not None:
            took_ns = latency.percentile_ns(q) if latency.count else 0
            yield Verdict(name, f"{took_ns / 1e6:.2f} ms", str(most), most.allows(took_ns))


def _against(golden: Golden, kept: Golden) -> tuple[list[Verdict], list[str]]:
    """What is the same as in an earlier run."""
    found = [
        Verdict(
            "golden counts",
            _counts(golden),
            _counts(kept),
            dict(golden.counts) == dict(kept.counts),
        ),
        Verdict(
            "golden outcomes", golden.outcomes, kept.outcomes, golden.outcomes == kept.outcomes
        ),
    ]
    if not kept.decisions or not golden.decisions:
        return found, []
    differences = [
        f"{name} {told or 'none'}, here {golden.machine.get(name) or 'none'}"
        for name, told in kept.machine.items()
        if golden.machine.get(name) != told
    ]
    if differences:
        told = "; ".join(differences)
        return found, [f"the decisions' bytes are not compared: another machine made them ({told})"]
    same = golden.decisions == kept.decisions
    return [*found, Verdict("golden decisions", golden.decisions, kept.decisions, same)], []


def _counts(golden: Golden) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(golden.counts.items()))
