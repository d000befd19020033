"""A run's summary as tables."""

from rich.console import Console

from streamproc.cli.screen import line, table
from streamproc.reports import OUTCOME_WORDS, share
from streamproc.telemetry import Summary

_STAGE_WORDS = {
    "broker": "from the event to its arrival here: producer, Kafka, fetch",
    "decode": "bytes into columns, and the features",
    "queue": "waiting for a batch",
    "infer": "the model",
    "emit": "from the decision to Kafka's acknowledgement",
}


def show_summary(console: Console, summary: Summary) -> None:
    """Print what became of everything, and how long it took."""
    consumed = summary["consumed"]
    line(
        console,
        f"{summary['pipeline']}: {consumed:,} events in {summary['duration_s']:.1f} s "
        f"({summary['throughput_per_s']:,.0f}/s), {summary['cpu_s']:.2f} s of CPU",
        "bold",
    )
    outcomes = table("outcome", "events", "share", "meaning")
    words = {outcome.word: text for outcome, text in OUTCOME_WORDS.items()}
    for name, count in summary["outcomes"].items():
        if count or name in ("on_time", "late", "shed"):
            outcomes.add_row(name, f"{count:,}", share(count, consumed), words.get(name, ""))
    outcomes.add_row("consumed", f"{consumed:,}", "", "the sum of these", style="bold")
    console.print(outcomes)
    if summary["reasons"]:
        reasons = ", ".join(f"{name} {count:,}" for name, count in summary["reasons"].items())
        line(console, f"reasons: {reasons}")
    extras = [
        f"{k.replace('_', ' ')} {summary[k]:,}" for k in ("handed_back", "skipped") if summary[k]
    ]
    if extras:
        line(console, f"not consumed: {', '.join(extras)}")
    _show_times(console, summary)


def _show_times(console: Console, summary: Summary) -> None:
    latency = summary["latency_ms"]
    if not latency:
        return
    line(console, "")
    times = table("time", "p50 ms", "p99 ms", "where it goes")
    for name, stage in summary["stages_ms"].items():
        if stage:
            words = _STAGE_WORDS.get(name, "")
            times.add_row(name, f"{stage['p50']:.2f}", f"{stage['p99']:.2f}", words)
    times.add_row(
        "in all",
        f"{latency['p50']:.2f}",
        f"{latency['p99']:.2f}",
        f"from the event to the acknowledgement; p99.9 {latency['p999']:.1f}, longest {latency['max']:.1f}",
        style="bold",
    )
    console.print(times)


def progress_line(summary: Summary, *, rate_per_s: float, lag: int) -> str:
    """How a run stands, in one line."""
    outcomes = summary["outcomes"]
    consumed = summary["consumed"]
    others = ", ".join(f"{k} {n:,}" for k, n in outcomes.items() if n and k != "on_time")
    p99 = summary["latency_ms"].get("p99")
    parts = [
        f"{consumed:,} events",
        f"{rate_per_s:,.0f}/s",
        f"on time {share(outcomes['on_time'], consumed) or '-'}",
        others,
        f"p99 {p99:.1f} ms" if p99 is not None else "",
        f"lag {lag:,}" if lag else "",
    ]
    return ", ".join(part for part in parts if part)
