"""The page: one HTML file that needs nothing else, neither a network nor a script."""

from functools import lru_cache
from typing import TYPE_CHECKING

from streamproc.core import VERSION, Outcome
from streamproc.reports import quantities, sections
from streamproc.reports.advice import advice
from streamproc.reports.moments import when_it_went_wrong
from streamproc.reports.rollout import rolled_back_words, rollout_rows
from streamproc.reports.run import Run
from streamproc.reports.words import verdict, verified, where_the_time_went
from streamproc.telemetry import STAGES

if TYPE_CHECKING:
    from jinja2 import Environment

_NOT_TEXT = {code: "\N{REPLACEMENT CHARACTER}" for code in range(32) if chr(code) not in "\t\n\r"}
"""Control characters, which no page may hold."""


def render(run: Run) -> str:
    """The report of a run.

    All texts are escaped: names, reasons, topics and errors are somebody's input.
    """
    return (
        templates()
        .get_template("page.html.jinja")
        .render(
            run=run,
            accounts=run.accounts,
            version=VERSION,
            verdict=verdict(run),
            time_words=[*where_the_time_went(run), *when_it_went_wrong(run)],
            verified=verified(run),
            strip=sections.stage_strip(run),
            advice=advice(run),
            key_figures=list(sections.key_figures(run)),
            outcome_rows=sections.outcome_rows(run),
            outcomes_chart=sections.outcomes_chart(run),
            latency_charts=list(sections.latency_charts(run)),
            stage_rows=sections.stage_rows(run),
            stages_chart=sections.stages_chart(run),
            rollout_rows=rollout_rows(run),
            rolled_back=rolled_back_words(run),
            batch_rows=sections.batch_rows(run),
            batch_words=sections.batch_words(run),
            nothing_waited=sections.nothing_waited(run),
            load_charts=list(sections.load_charts(run)),
            patterns=[*(outcome.word for outcome in Outcome), *STAGES, "over"],
            began=quantities.moment(run.began_ns),
            lasted=quantities.length(run.duration_s),
        )
    )


@lru_cache(maxsize=1)
def templates() -> "Environment":
    """Where the pages' forms are."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - for those who report

    return Environment(
        loader=PackageLoader("streamproc.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printable(value: object) -> object:
    return value.translate(_NOT_TEXT) if isinstance(value, str) else value
