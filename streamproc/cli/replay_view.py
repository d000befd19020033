"""What a replay found, for people."""

from rich.console import Console

from streamproc.cli.replay_run import Result
from streamproc.cli.screen import line
from streamproc.cli.summary import show_summary


def show(console: Console, result: Result) -> None:
    """The books, and how the replay went."""
    show_summary(console, result.summary)
    facts = result.facts
    line(console, "")
    line(
        console,
        f"clock {facts['clock']}: {facts['records']:,} records in {facts['took_s']:.2f} s, "
        f"{facts['times_real_time']:g} times as fast as they came",
    )
    if origins := facts.get("latency_model"):
        told = ", ".join(f"{variant} {origin}" for variant, origin in origins.items())
        line(console, f"batch times: {told}; sending: {facts['send']}")
    if lag := facts.get("schedule_lag_ms"):
        line(
            console,
            f"schedule lag: p50 {lag['p50']:.2f} ms, p99 {lag['p99']:.2f} ms, longest {lag['max']:.2f} ms",
        )
    found = result.reproduced
    if found is not None:
        verdict = "every outcome is the live one" if found.exact else "NOT the live run"
        line(
            console,
            f"{verdict}: {found.same:,} same, {found.changed:,} changed, {found.missing:,} missing, "
            f"{found.extra:,} more",
            "bold",
        )
    if result.out is not None:
        line(console, f"decisions and outcomes: {result.out}")
