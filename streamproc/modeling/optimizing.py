"""Tries the techniques on a model and recorded traffic, and says which variants are worth serving."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streamproc.core import Columns, ConfigError, process_cpu_ns
from streamproc.modeling.graphs import Graph
from streamproc.modeling.inference import Run, run_in_batches, runner
from streamproc.modeling.judging import Bootstrap, Judgement, decisions, judge
from streamproc.modeling.measuring import NowNs, Timing, in_turns
from streamproc.modeling.techniques import FULL, UNFUSED, Candidate, Failed, Techniques, candidates
from streamproc.modeling.traffic import Events, Traffic

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How variants are measured and chosen.

    Attributes:
        batches: batch sizes.
        rounds: how often each variant has its turn.
        flips_max: a variant that decides otherwise than the full model on a larger share of the validation events
            is shown, and not served.
        loss_max: and one that loses more accuracy there, where the truth is known.
    """

    batches: Sequence[int] = (1, 32)
    rounds: int = 30
    flips_max: float = 0.05
    loss_max: float = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """A variant that was measured.

    Attributes:
        candidate: what it is.
        bytes_total: of its file.
        timings: by batch size.
        speedups: by batch size, how many times as fast as the graph that is not fused (medians).
        validation: how it decides on the events that choose.
        test: how it decides on the events that are reported.
        served: whether it is good enough to be served.
        front: whether nothing that is served is both as fast at every batch size and as good.
    """

    candidate: Candidate
    bytes_total: int
    timings: dict[int, Timing]
    speedups: dict[int, float]
    validation: Judgement
    test: Judgement
    served: bool
    front: bool = False


@dataclass(frozen=True, slots=True)
class Optimized:
    """All that was tried.

    Attributes:
        rows: those that were measured, as they were tried.
        failed: those that could not be tried.
    """

    rows: tuple[Row, ...]
    failed: tuple[Failed, ...]

    def row(self, name: str) -> Row:
        """The row of a name."""
        return next(row for row in self.rows if row.candidate.name == name)

    @property
    def ladder(self) -> tuple[Row, ...]:
        """The full model, and what is worth serving beside it, the best one first."""
        front = [row for row in self.rows if row.front and row.candidate.name != FULL]
        full = self.row(FULL)
        return (full, *sorted(front, key=lambda row: row.validation.flips))


def optimize(
    model: Graph,
    traffic: Traffic,
    techniques: Techniques,
    settings: Settings,
    *,
    say: Say,
    now_ns: NowNs = process_cpu_ns,
) -> Optimized:
    """Try everything.

    Args:
        model: the full model.
        traffic: recorded events.
        techniques: what is tried.
        settings: how it is measured.
        say: told what is being done.
        now_ns: the clock of the measurement; by default this process's CPU time.

    Raises:
        ConfigError: the full model does not run.
    """
    made: list[tuple[Candidate, Run]] = []
    failed: list[Failed] = []
    for one in candidates(model, traffic.train, techniques):
        if isinstance(one, Failed):
            say(f"{one.name}: not tried: {one.why}")
            failed.append(one)
            continue
        say(f"{one.name}: made")
        try:
            made.append((one, runner(one.model, fused=one.fused, runtime=one.runtime)))
        except ConfigError as error:
            if one.name in (FULL, UNFUSED):
                raise
            failed.append(Failed(one.name, str(error)))
    timings: dict[str, dict[int, Timing]] = {one.name: {} for one, _ in made}
    for size in settings.batches:
        say(f"measuring batches of {size}")
        inputs = _batch(traffic.test, size)
        found = in_turns(
            {one.name: _bound(run, inputs) for one, run in made},
            rounds=settings.rounds,
            now_ns=now_ns,
        )
        for name, timing in found.items():
            timings[name][size] = timing
    say("judging decisions")
    judged = {
        part: _judged(made, events)
        for part, events in (("validation", traffic.validation), ("test", traffic.test))
    }
    rows = []
    for one, _ in made:
        validation = judged["validation"][one.name]
        rows.append(
            Row(
                candidate=one,
                bytes_total=one.model.ByteSize(),
                timings=timings[one.name],
                speedups={
                    size: timings[UNFUSED][size].p50 / timing.p50
                    for size, timing in timings[one.name].items()
                },
                validation=validation,
                test=judged["test"][one.name],
                served=one.fused and _good(validation, settings),
            )
        )
    return Optimized(_with_front(rows), tuple(failed))


def _batch(events: Events, size: int) -> Columns:
    total = len(events)
    return {
        name: array[[at % total for at in range(size)]].copy()
        for name, array in events.inputs.items()
    }


def _bound(run: Run, inputs: Columns) -> Callable[[], object]:
    return lambda: run(inputs)


def _judged(made: Sequence[tuple[Candidate, Run]], events: Events) -> dict[str, Judgement]:
    bootstrap = Bootstrap.of(events.group)
    decided = {
        one.name: decisions(run_in_batches(one.model, events.inputs, run)) for one, run in made
    }
    return {
        name: judge(given, decided[FULL], events.label, bootstrap)
        for name, given in decided.items()
    }


def _good(found: Judgement, settings: Settings) -> bool:
    if found.loss is not None:
        return found.loss <= settings.loss_max
    return found.flips <= settings.flips_max


Worth = tuple[float, ...]


def _worth(row: Row, by: Literal["loss", "flips"]) -> Worth:
    """What is to be large: how good it is, and how fast at each batch size."""
    good = row.validation.loss if by == "loss" else row.validation.flips
    return (-(good or 0.0), *row.speedups.values())


def _with_front(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Mark the Pareto front among those that may be served."""
    by: Literal["loss", "flips"] = "flips" if rows[0].validation.loss is None else "loss"
    served = [row for row in rows if row.served]

    def beaten(row: Row) -> bool:
        mine = _worth(row, by)
        return any(
            all(a >= b for a, b in zip(theirs, mine, strict=True)) and theirs != mine
            for theirs in (_worth(other, by) for other in served)
        )

    return tuple(replace(row, front=row.served and not beaten(row)) for row in rows)
