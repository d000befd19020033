"""What a replay found, for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from streamproc.cli.replay_run import Result
from streamproc.cli.screen import line
from streamproc.cli.summary import show_summary


def show(console: Console, result: Result) -> None:
    """The books, and how the replay went."""
    show_summary(console, result.summary)
    facts = result.facts
    line(console, "")
    pace = (
        f", {facts['times_real_time']:g} times as fast as they came"
        if "times_real_time" in facts
        else ""
    )
    line(
        console,
        f"clock {facts['clock']}: {facts['records']:,} records in {facts['took_s']:.2f} s{pace}",
    )
    if origins := facts.get("latency_model"):
        told = ", ".join(f"{variant} {origin}" for variant, origin in origins.items())
        line(console, f"batch times: {told}; sending: {facts['send']}")
    _show_lag(console, facts)
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


def show_produced(console: Console, sent: Mapping[str, Any]) -> None:
    """What was sent to a Kafka."""
    failed = f", {sent['failed']:,} NOT taken" if sent["failed"] else ""
    line(
        console,
        f"{sent['produced']:,} records sent in {sent['duration_s']:.1f} s ({sent['rate_per_s']:,.0f}/s){failed}",
        "bold",
    )
    _show_lag(console, sent["replay"])


def _show_lag(console: Console, facts: Mapping[str, Any]) -> None:
    if lag := facts.get("schedule_lag_ms"):
        line(
            console,
            f"schedule lag: p50 {lag['p50']:.2f} ms, p99 {lag['p99']:.2f} ms, longest {lag['max']:.2f} ms",
        )
