"""The report of a demo: the pipeline's own, and what was seen from outside."""

from collections.abc import Iterator
from pathlib import Path

from streamproc.cli.demo_plan import Plan
from streamproc.cli.demo_session import Ended
from streamproc.cli.report import Report
from streamproc.cli.screen import line, notes_console
from streamproc.config import LoadedConfig
from streamproc.core import ConfigError, ExternalError
from streamproc.reports import Check

DEFAULT = Path("streamproc-demo.html")
"""In the folder where the demo is started: each demo replaces the last one's."""


def demo_report(path: Path | None, loaded: LoadedConfig, *, wanted: bool) -> Report:
    """The report that is wanted.

    Args:
        path: where; None takes ``DEFAULT``, and goes without where that cannot be written.
        loaded: the pipeline.
        wanted: False for none.

    Raises:
        ConfigError: a path is given, and none is wanted.
        ExternalError: it cannot be written to the path that is given.
    """
    if not wanted and path is not None:
        msg = f"--no-report and --report {path} contradict each other: leave one out"
        raise ConfigError(msg)
    if not wanted:
        return Report(None, loaded)
    try:
        return Report(path or DEFAULT, loaded)
    except ExternalError as error:
        if path is not None:
            raise
        line(notes_console(), f"{error}; going on without (--report PATH names another)", "yellow")
        return Report(None, loaded)


def write_demo_report(report: Report, plan: Plan, ended: Ended) -> None:
    """Write it."""
    lag, generator = ended.generator["lag_ms"], ended.generator
    player = {"sent": f"{generator['sent']:,} events in {generator['seconds']:.1f} s"}
    if lag:
        player["behind its schedule"] = (
            f"{lag['p50']:.1f} ms at p50, {lag['p99']:.1f} ms at p99, {lag['max']:.1f} ms at most; "
            "no part of the latencies"
        )
    report.write(
        summary=ended.summary,
        overload_meant=plan.device is not None,
        notes=list(_notes(plan)),
        checks=list(_checks(ended)),
        more_facts={
            "Player": player | {"speed": f"{generator['speed']:.3g} times as recorded"},
            "Broker": {"kind": plan.place.name, "address": plan.place.servers},
        },
    )


def _notes(plan: Plan) -> Iterator[str]:
    if plan.device is not None:
        yield (
            f"This demo pretends a device that takes {plan.device.fixed} for a batch and {plan.device.per_event} "
            f"for each event of it; the load is {plan.overload:g} times what it can do, so most of it must be given up."
        )
    if plan.place.name == "embedded":
        yield "The CPU time includes the broker's, which runs in the same process."


def _checks(ended: Ended) -> Iterator[Check]:
    verdict = ended.verdict
    seen = verdict.seen
    unread = (
        f"; {seen.unread:,} were gone from the broker before they could be read"
        if seen.unread
        else ""
    )
    found = [
        (
            f"An independent consumer found {seen.distinct:,} different decisions in the topic, "
            f"for {verdict.decided:,} in the books{unread}."
        ),
        f"{seen.decided_after_deadline:,} decisions that say on_time were made after their deadline.",
    ]
    if verdict.appended_after_deadline is not None:
        found.append(
            f"By the broker's own clock, {verdict.appended_after_deadline:,} of those that say on_time "
            "were appended after their deadline."
        )
    yield from (Check(text) for text in found)
    yield from (Check(problem, ok=False) for problem in verdict.problems)
