"""What a demo shows: what it begins, how it goes, and how it ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from streamproc.cli.demo_plan import Plan
from streamproc.cli.init import DEFAULT_TEMPLATE
from streamproc.cli.screen import line, notes_console, table
from streamproc.cli.summary import show_summary
from streamproc.core import NS_PER_S, SystemClock
from streamproc.reports import share
from streamproc.runtime import Service
from streamproc.telemetry import Summary

if TYPE_CHECKING:
    from streamproc.cli.demo_session import Ended

_RATE_TO_OVERLOAD = 1000
_FRAME_S = 0.5
"""A table costs some milliseconds on the pipeline's own event loop."""


def show_start(console: Console, plan: Plan) -> None:
    """Say what is going to happen."""
    seconds = plan.duration_ns / NS_PER_S
    budget = plan.loaded.config.deadline.budget
    line(
        console,
        f"demo: {plan.job.count:,} recorded events in {seconds:g} s "
        f"({plan.rate_per_s:,.0f}/s in the mean, {plan.job.speed:.3g} times as recorded), "
        f"each to be decided within {budget}; {plan.place.name} broker at {plan.place.servers}",
    )
    if plan.device is not None:
        line(
            console,
            f"simulated: a device that takes {plan.device.fixed} for a batch and {plan.device.per_event} for "
            f"each event of it can do {plan.rate_per_s / (plan.overload or 1):,.0f}/s; the load is {plan.overload:g} "
            "times that",
        )


@contextlib.asynccontextmanager
async def live_view(service: Service, plan: Plan) -> AsyncIterator[None]:
    """A live table on the terminal, if there is one."""
    console = notes_console()
    if not console.is_terminal:
        yield
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        drawing = asyncio.create_task(_draw(live, service, plan))
        try:
            yield
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)


async def _draw(live: Live, service: Service, plan: Plan) -> None:
    clock = SystemClock()
    begun_ns = before_ns = clock.now_ns()
    before = 0
    while True:
        await asyncio.sleep(_FRAME_S)
        summary, now_ns = service.summary(), clock.now_ns()
        if summary is None:
            continue
        rate = (summary["consumed"] - before) * NS_PER_S / (now_ns - before_ns)
        before, before_ns = summary["consumed"], now_ns
        left_s = max(0.0, (plan.duration_ns - (now_ns - begun_ns)) / NS_PER_S)
        lag = sum(service.gauges().lag_records.values())
        live.update(_frame(summary, rate=rate, lag=lag, left_s=left_s), refresh=True)


def _frame(summary: Summary, *, rate: float, lag: int, left_s: float) -> Table:
    rows = table("", "", "")
    consumed = summary["consumed"]
    rows.add_row("consumed", f"{consumed:,}", f"{rate:,.0f}/s, lag {lag:,}, {left_s:.0f} s to go")
    for name, count in summary["outcomes"].items():
        if count or name in ("on_time", "late", "shed"):
            rows.add_row(name, f"{count:,}", share(count, consumed))
    latency = summary["latency_ms"]
    if latency:
        rows.add_row("latency", f"{latency['p50']:.1f} ms", f"p50; p99 {latency['p99']:.1f} ms")
    return rows


def show_end(console: Console, plan: Plan, ended: "Ended") -> None:
    """The summary, the verdict, and where to look next."""
    summary = ended.summary
    show_summary(console, summary)
    if plan.place.name == "embedded":
        line(console, "The CPU time includes the embedded broker's.")
    lag = ended.generator["lag_ms"]
    if lag:
        line(
            console,
            f"player: {ended.generator['sent']:,} sent, {lag['p50']:.1f} ms behind its schedule in the middle, "
            f"{lag['p99']:.1f} at p99, {lag['max']:.1f} at most (no part of the latency above)",
        )
    line(console, "")
    _show_verdict(console, plan, ended)
    line(console, "")
    _show_next(console, plan)


def share_in_time(summary: Summary) -> str:
    """The share of those that were to be decided about: what is filtered or absorbed gets no decision."""
    outcomes = summary["outcomes"]
    wanted = summary["consumed"] - outcomes["filtered"] - outcomes["absorbed"]
    return share(outcomes["on_time"] + outcomes["degraded"], wanted)


def _show_verdict(console: Console, plan: Plan, ended: "Ended") -> None:
    summary, verdict, seen = ended.summary, ended.verdict, ended.verdict.seen
    budget = plan.loaded.config.deadline.budget
    line(console, f"{share_in_time(summary) or 'nothing'} on time within {budget}", "bold")
    unread = f" ({seen.unread:,} more were gone from the broker before they could be read)"
    line(
        console,
        f"seen from outside: {seen.distinct:,} different decisions for {verdict.decided:,} in the books"
        f"{unread if seen.unread else ''}; {seen.decided_after_deadline} that say on_time were made after their deadline",
    )
    appended = verdict.appended_after_deadline
    if appended is not None:
        line(
            console,
            f"by the broker's own clock: {appended} of those that say on_time were appended after their deadline"
            + (", and the books count them as late" if appended and verdict.ok else ""),
        )
    if verdict.ok:
        line(console, "verified: every promise was kept", "green")
    for problem in verdict.problems:
        line(console, f"VIOLATED: {problem}", "bold red")


def _show_next(console: Console, plan: Plan) -> None:
    line(console, "next:", "bold")
    which = "" if plan.template == DEFAULT_TEMPLATE else f" --template {plan.template}"
    steps = {f"streamproc init my-project{which}": "this pipeline as files of your own"}
    if plan.device is None:
        # The pretended device needs a load that is worth overloading.
        rate = f" --rate {_RATE_TO_OVERLOAD}" if plan.rate_per_s < _RATE_TO_OVERLOAD / 10 else ""
        steps[f"streamproc demo{which}{rate} --overload 4"] = (
            "what happens when the load is too much"
        )
    if plan.record is not None:
        steps[f"streamproc replay {plan.record} pipeline.yaml"] = (
            "in a project of your own: the same events again, with what you change"
        )
    if plan.place.name == "embedded":
        steps[f"streamproc demo{which} --broker HOST:PORT"] = "the same on your Kafka"
    width = max(map(len, steps)) + 2
    for command, what in steps.items():
        line(console, f"  {command:{width}} {what}")
    if plan.place.name != "embedded" and plan.place.keep_topics:
        line(
            console,
            f"  the topics {', '.join(plan.place.topics)} are still there (--no-keep-topics removes them)",
        )
