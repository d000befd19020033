"""``streamproc audit``: a pipeline's topics, held against what it promises."""

import asyncio
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.config import LoadedConfig, kafka_sink, kafka_source, load
from streamproc.runtime import dead_letter_topic
from streamproc.testing.audit import AuditReport, audit_topics


def audit(
    config: options.Config,
    set_: options.Set = None,
    running: Annotated[
        bool,
        typer.Option(
            "--running", help="Leave out what may still come: no outcome yet, not committed."
        ),
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for the reading of one topic.")] = 120.0,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Read inputs, outputs, ledger and committed offsets, and say what does not hold; exit 1 where anything."""
    loaded = load(config, overrides=set_ or ())
    with located(loaded):
        report = asyncio.run(_audit(loaded, timeout))
    problems = report.problems(complete=not running)
    if json:
        print_json(report.as_dict() | {"problems": problems})
    else:
        _show(report, problems)
        outcomes = loaded.config.outcomes
        if report.outcomes.missing and outcomes.ledger_topic is None:
            line(
                notes_console(),
                "events that were shed, filtered or absorbed leave nothing behind in these topics, and count as "
                "missing: outcomes.ledger_topic would tell them apart",
            )
    return FAILED if problems else DONE


async def _audit(loaded: LoadedConfig, timeout_s: float) -> AuditReport:
    config = loaded.config
    source, sink = kafka_source(config, "an audit"), kafka_sink(config, "an audit")
    exactly_once = config.delivery == "exactly_once"
    return await audit_topics(
        source.bootstrap_servers,
        inputs=list(source.topics),
        decisions=sink.topic,
        dead_letters=dead_letter_topic(config),
        shed=config.outcomes.shed_topic,
        ledger=config.outcomes.ledger_topic,
        group_id=source.group_id or config.name,
        delivery=config.delivery,
        order=None if config.ordering == "none" else config.ordering,
        from_first=source.auto_offset_reset == "latest",
        isolation="read_committed" if exactly_once else source.isolation_level,
        security=source.security,
        timeout_s=timeout_s,
    )


def _show(report: AuditReport, problems: list[str]) -> None:
    console = result_console(as_json=False)
    rows = table("", "")
    rows.add_row("delivery", report.delivery)
    for topic, count in report.read.items():
        rows.add_row(f"read of {topic}", f"{count:,}")
    for word, count in report.outcomes.outcomes.items():
        rows.add_row(word, f"{count:,}")
    rows.add_row("missing", f"{len(report.outcomes.missing):,}")
    rows.add_row("duplicates", f"{report.duplicates:,}")
    console.print(rows)
    for problem in problems:
        line(console, problem)
    line(
        console,
        "what is promised holds" if not problems else f"{len(problems)} promises do not hold",
    )
