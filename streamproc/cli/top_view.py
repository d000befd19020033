"""What ``top`` shows of a pipeline's status: the same as its dashboard."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streamproc.cli.screen import table
from streamproc.cli.top_rollout import rollout_view
from streamproc.reports import share

_GOOD, _FAIR = 0.99, 0.9
_PARTITIONS_SHOWN = 8
_STATE_STYLE = {"running": "bold green", "stopping": "bold red"}
_SECOND_MS = 1_000


def view(status: Mapping[str, Any]) -> RenderableType:
    """A status, laid out."""
    summary, lately = status["summary"], status["recent"]
    parts: list[RenderableType] = [_head(status), *_alerts(status["slo"])]
    if summary is not None:
        parts += [Text(""), _outcomes(summary, lately), Text(""), _latency(status)]
        parts += [Text(""), *_stages(summary, lately)]
    if status.get("rollout"):
        parts += [Text(""), *rollout_view(status["rollout"])]
    return Group(*parts, Text(""), _machine(status))


def _head(status: Mapping[str, Any]) -> Text:
    summary, lately = status["summary"], status["recent"]
    text = Text((summary or {}).get("pipeline", "streamproc"), style="bold")
    text.append("  ")
    text.append(status["state"], style=_STATE_STYLE.get(status["state"], "bold yellow"))
    if status["waiting_for"]:
        text.append(f", waiting for {', '.join(status['waiting_for'])}")
    if lately is not None:
        text.append(f"   goodput {lately['goodput_per_s']:,.0f}/s")
        ended = sum(lately["outcomes"].values())
        if ended:
            good = (lately["outcomes"]["on_time"] + lately["outcomes"]["degraded"]) / ended
            style = "green" if good >= _GOOD else "yellow" if good >= _FAIR else "bold red"
            text.append(f"   {good:.2%} in time", style=style)
    return text


def _alerts(objectives: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    for objective in objectives:
        name, left = objective["name"], objective["budget_left"]
        for burn in objective["burn"]:
            if burn["firing"]:
                text = f"{burn['severity']}: {name} burns {burn['rate']:.3g} times too fast, {left:.0%} left"
                yield Text(text, style="bold red")
        if objective["no_data"]:
            yield Text(f"{name}: no data comes", style="yellow")


def _outcomes(summary: Mapping[str, Any], lately: Mapping[str, Any] | None) -> Table:
    rows = table("outcome", "lately", "in all", "share")
    for name, count in summary["outcomes"].items():
        now = "-" if lately is None else f"{lately['outcomes'][name]:,}"
        if count or name in ("on_time", "late", "shed"):
            rows.add_row(name, now, f"{count:,}", share(count, summary["consumed"]))
    for reason, count in summary["reasons"].items():
        rows.add_row(f"  {reason}", "", f"{count:,}", "", style="dim")
    return rows


def _latency(status: Mapping[str, Any]) -> Table:
    names = ("p50", "p90", "p99", "p999")
    rows = table("latency", *names, f"budget {_ms(status['budget_ms'])}")
    for words, part in (("lately", status["recent"]), ("in all", status["summary"])):
        if part is not None and part["latency_ms"]:
            rows.add_row(words, *(_ms(part["latency_ms"].get(name)) for name in names), "")
    return rows


def _stages(
    summary: Mapping[str, Any], lately: Mapping[str, Any] | None
) -> Iterator[RenderableType]:
    found = summary["stages_ms"] if lately is None else lately["stages_ms"]
    tail = summary.get("tail")
    rows = table("stage", "mean", "p50", "p99", "slowest 1%", "")
    for stage, times in found.items():
        if not times:
            continue
        slow = None if tail is None else tail["mean_ms"][stage]
        named = tail is not None and tail["stage"] == stage
        cells = (times.get("mean"), times["p50"], times["p99"], slow)
        words = "makes the p99" if named else ""
        rows.add_row(stage, *map(_ms, cells), words, style="bold" if named else "")
    yield rows


def _machine(status: Mapping[str, Any]) -> Table:
    lately = status["recent"] or {}
    rows = table("", "")
    rows.columns[1].justify = "left"
    lag = status["lag_records"]
    behind = sorted(lag.items(), key=lambda item: -item[1])[:_PARTITIONS_SHOWN]
    facts = {
        "lag": f"{sum(lag.values()):,} records"
        + ("" if status["lag_s"] is None else f", {status['lag_s']:.3g} s"),
        "": ", ".join(f"{name} {count:,}" for name, count in behind if count),
        "waiting for a batch": f"{status['queue_depth'] or 0:,}",
        "by lane": ", ".join(f"{lane} {n:,}" for lane, n in status["lane_depths"].items()),
        "model": ", ".join(model["variant"] for model in status["models"]),
        "variant": _said(status["variant_level"], "{}"),
        "micro-batches": _said(lately.get("batch_size"), "{:.3g} events")
        + _said(lately.get("batch_fill"), ", {:.0%} full"),
        "executor used": _said(lately.get("utilisation"), "{:.0%}"),
        "workers it would take": _said(status["demand_workers"], "{:.2f}"),
        "workers": ", ".join(f"{n} {state}" for state, n in (status["workers"] or {}).items()),
        "event loop late": _said(status["loop_lag_s"], "{:.4f} s"),
    }
    for name, value in facts.items():
        if value:
            rows.add_row(name, value)
    return rows


def _said(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / _SECOND_MS:.3g} s" if value >= _SECOND_MS else f"{value:.3g} ms"
