"""What a simulation came to: for people, for programs, and for the report."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from streamproc.cli.screen import line, table
from streamproc.cli.simulate_plan import Asked
from streamproc.config import PipelineConfig
from streamproc.replay.simulation import Machine, Trial
from streamproc.reports import ComparedRun, Comparison
from streamproc.telemetry import Accounts


def show(
    console: Console, config: PipelineConfig, trials: Sequence[Trial], *, capacity_per_s: float
) -> None:
    """A line for each trial."""
    best = best_word(trials)
    line(console, f"{config.name}: capacity {capacity_per_s:,.0f} events/s within {config.deadline.budget}", "bold")  # fmt: skip
    rows = table(
        "load", "events", "in time", "goodput/s", f"of the {best}", "late", "p99 ms", "batch", "planner, and what it shed",
    )  # fmt: skip
    for trial in trials:
        books = _books(config, trial)
        shed = ", ".join(f"{name} {number:,}" for name, number in books.reasons.items())
        p99 = f"{books.e2e.percentile_ns(99) / 1e6:.2f}" if books.e2e.count else "-"
        rows.add_row(
            f"{trial.load:g}x",
            f"{len(trial.result.traffic):,}",
            f"{trial.result.in_time:,}",
            f"{trial.goodput_per_s:,.0f}",
            f"{100 * trial.share_of_best:.1f}%",
            f"{trial.result.late:,}",
            p99,
            f"{_batch_mean(books):.1f}",
            f"{trial.planner}{': ' if shed else ''}{shed}",
        )
    console.print(rows)


def as_json(
    config: PipelineConfig, trials: Sequence[Trial], *, capacity_per_s: float
) -> dict[str, Any]:
    """The first trial's summary, and all trials.

    ``cpu_s`` is 0: what the simulation takes here is no figure of the pipeline's, and would differ each time.
    """
    first = _summary(config, trials[0])
    return {
        **first,
        "capacity_per_s": round(capacity_per_s, 3),
        "trials": [
            {
                "load": trial.load,
                "policy": trial.planner,
                "goodput_per_s": round(trial.goodput_per_s, 3),
                "best": {"events": trial.best.served, "kind": trial.best.kind},
                "share_of_best": round(trial.share_of_best, 6),
                "batches": {
                    str(name): number for name, number in _books(config, trial).batches.items()
                },
                "batch_mean": round(_batch_mean(_books(config, trial)), 3),
                **_summary(config, trial),
            }
            for trial in trials
        ],
    }


def page(
    config: PipelineConfig,
    trials: Sequence[Trial],
    machine: Machine,
    capacity_per_s: float,
    asked: Asked,
    *,
    seed: int,
) -> Comparison:
    """The report."""
    run_ns = machine.variants[0].run_ns
    return Comparison(
        pipeline=config.name,
        runs=[_compared(config, trial) for trial in trials],
        best_word=best_word(trials),
        facts={
            "arrivals": asked.shape if asked.file is None else f"{asked.shape} {asked.file.name}",
            "seed": str(seed),
            "capacity (load 1)": f"{capacity_per_s:,.1f} events/s",
            "budget": str(config.deadline.budget),
            "a batch of 1": f"{run_ns[0] / 1e6:g} ms",
            f"a batch of {len(run_ns)}": f"{run_ns[-1] / 1e6:g} ms",
            "executors": str(machine.executors),
            "sending": f"{machine.send_ns / 1e6:g} ms",
            "jitter": f"{machine.jitter:g}",
            "shed": ", ".join(map(_policy_word, config.shed)) or "nothing",
            "order kept": config.ordering,
        },
    )


def best_word(trials: Sequence[Trial]) -> str:
    """What the most that could have been is."""
    return "optimum" if all(trial.best.kind == "exact" for trial in trials) else "upper bound"


def _policy_word(policy: object) -> str:
    return policy if isinstance(policy, str) else type(policy).__name__


def _compared(config: PipelineConfig, trial: Trial) -> ComparedRun:
    books, result = _books(config, trial), trial.result
    rate = result.traffic.rate_per_s / len(result.traffic)
    percentiles = [books.e2e.percentile_ns(q) if books.e2e.count else 0 for q in (50, 99)]
    return ComparedRun(
        load=trial.load,
        planner=trial.planner,
        events=len(result.traffic),
        in_time=result.in_time,
        late=result.late,
        shed=books.reasons,
        goodput_per_s=trial.goodput_per_s,
        best_per_s=trial.best.served * rate,
        p50_ns=percentiles[0],
        p99_ns=percentiles[1],
        batch_mean=_batch_mean(books),
    )


def _summary(config: PipelineConfig, trial: Trial) -> dict[str, Any]:
    return dict(_books(config, trial).summary(trial.result.duration_ns / 1e9, 0.0))


def _books(config: PipelineConfig, trial: Trial) -> Accounts:
    budgets = sorted({lane.budget_ns for lane in trial.lanes})
    return trial.result.accounts(config.name, trial.lanes, exact_bounds_ns=budgets)


def _batch_mean(books: Accounts) -> float:
    return books.batched / max(1, sum(books.batches.values()))
