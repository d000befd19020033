"""What a dashboard shows, as queries over the metrics."""

from dataclasses import dataclass
from typing import Final

from streamproc.telemetry import names

_JOB: Final = 'job=~"$job"'
_MINE: Final = f'pipeline="$pipeline",{_JOB}'
_RATE: Final = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph.

    Attributes:
        title: of it.
        unit: as Grafana names it.
        queries: PromQL, and how a series is called.
        stacked: whether the series add up to something.
        says: one line about it.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    stacked: bool = False
    says: str = ""


def _rate(metric: str, by: str = "", matchers: str = _JOB) -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate({metric}{{{matchers}}}[{_RATE}]))"


def _share(metric: str, by: str, matchers: str, of: str) -> str:
    return f"{_rate(metric, by, matchers)} / {_rate(metric, by, of)}"


def _quantile(metric: str, quantile: float, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, {_rate(f'{metric}_bucket', labels)})"


def _gauge(metric: str, how: str = "max", by: str = "") -> str:
    grouped = f"{how} by ({by})" if by else how
    return f"{grouped} ({metric}{{{_JOB}}})"


ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "Objectives",
        (
            Panel(
                "Budget left",
                "percentunit",
                ((f"min by (slo) ({names.SLO_BUDGET_LEFT}{{{_MINE}}})", "{{slo}}"),),
                says="1 is all of the period's budget; below 0 it is overspent.",
            ),
            Panel(
                "Burn rate",
                "none",
                ((f"max by (slo, window) ({names.SLO_BURN}{{{_MINE}}})", "{{slo}} {{window}}"),),
                says="At 1 the budget is used up at the end of its period.",
            ),
            Panel(
                "Alerts that fire",
                "none",
                (
                    (
                        f"max by (slo, severity) ({names.SLO_FIRING}{{{_MINE}}})",
                        "{{slo}} {{severity}}",
                    ),
                    (f"max by (slo) ({names.SLO_ACTING}{{{_MINE}}})", "{{slo}} on_burn"),
                ),
            ),
        ),
    ),
    (
        "Events",
        (
            Panel(
                "Outcomes",
                "ops",
                ((_rate(names.OUTCOMES, "outcome", _MINE), "{{outcome}}"),),
                stacked=True,
                says="Their sum is what is consumed.",
            ),
            Panel(
                "Why events are shed or dead",
                "ops",
                (
                    (
                        _rate(names.OUTCOMES, "outcome, reason", f'{_MINE},reason!=""'),
                        "{{outcome}} {{reason}}",
                    ),
                ),
                stacked=True,
            ),
            Panel(
                "On time, by lane",
                "percentunit",
                (
                    (
                        _share(names.OUTCOMES, "lane", f'{_MINE},outcome="on_time"', _MINE),
                        "{{lane}}",
                    ),
                ),
            ),
            Panel(
                "Given back, skipped, acknowledged late",
                "ops",
                (
                    (_rate(names.HANDED_BACK), "handed back"),
                    (_rate(names.SKIPPED, "reason"), "skipped {{reason}}"),
                    (_rate(names.ACKED_LATE), "acknowledged late"),
                ),
            ),
        ),
    ),
    (
        "Time",
        (
            Panel(
                "From event to acknowledged decision",
                "s",
                tuple((_quantile(names.E2E_LATENCY, q), f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)),
            ),
            Panel(
                "p99 by stage", "s", ((_quantile(names.STAGE_LATENCY, 0.99, "stage"), "{{stage}}"),)
            ),
            Panel(
                "p99 of this process's part",
                "s",
                ((_quantile(names.OWN_LATENCY, 0.99), "own"), (_gauge(names.LOOP_LAG), "loop lag")),
            ),
            Panel(
                "Clocks of producers",
                "s",
                ((_gauge(names.EVENT_TIME_SKEW, by="source"), "{{source}}"),),
                says="Positive is behind ours.",
            ),
        ),
    ),
    (
        "Models that are tried",
        (
            Panel(
                "Share of the keys",
                "percentunit",
                ((_gauge(names.ARM_SHARE, "min", "arm"), "{{arm}}"),),
                says="Of workers the least: where one of them took its canary back, it is 0.",
            ),
            Panel(
                "Decisions that are other ones than the model's",
                "percentunit",
                (
                    (
                        f"{_rate(names.DIFFERED, 'candidate')} / {_rate(names.COMPARED, 'candidate')}",
                        "{{candidate}}",
                    ),
                ),
                says="Of those that were compared: of a canary, and of a shadow, which is never published.",
            ),
            Panel(
                "p99 by model",
                "s",
                ((_quantile(names.ARM_LATENCY, 0.99, "arm"), "{{arm}}"),),
                says="From event to acknowledged decision, of the events that it was to decide.",
            ),
            Panel(
                "In time, by model",
                "percentunit",
                (
                    (
                        _share(
                            names.ARM_OUTCOMES,
                            "arm",
                            f'{_JOB},outcome=~"on_time|degraded"',
                            _JOB,
                        ),
                        "{{arm}}",
                    ),
                ),
            ),
            Panel(
                "Failed, or not compared",
                "ops",
                (
                    (_rate(names.ARM_FAILED, "arm"), "{{arm}} failed"),
                    (_rate(names.NOT_COMPARED, "candidate, reason"), "{{candidate}} {{reason}}"),
                ),
            ),
            Panel(
                "Canaries that were taken back",
                "none",
                (
                    (
                        f"sum by (arm, reason) ({names.ROLLBACKS}{{{_JOB}}})",
                        "{{arm}}: {{reason}}",
                    ),
                ),
                says="Since the start of each process; why, in words, stands in the log, in top and in /api/status.",
            ),
        ),
    ),
    (
        "Load",
        (
            Panel(
                "Waiting events", "none", ((_gauge(names.QUEUE_DEPTH, "sum", "lane"), "{{lane}}"),)
            ),
            Panel(
                "Records still to be fetched",
                "none",
                ((_gauge(names.CONSUMER_LAG_RECORDS, "sum", "topic"), "{{topic}}"),),
            ),
            Panel(
                "Batches by why they left",
                "ops",
                ((_rate(names.BATCHES, "reason"), "{{reason}}"),),
                stacked=True,
            ),
            Panel(
                "How full batches are",
                "percentunit",
                (
                    (
                        f"{_rate(f'{names.BATCH_SIZE}_sum')} / {_rate(names.BATCH_ROOM)}",
                        "of their room",
                    ),
                ),
            ),
            Panel(
                "Variant that decides, workers that are wanted",
                "none",
                (
                    (_gauge(names.VARIANT_LEVEL), "variant, 0 the best"),
                    (_gauge(names.DEMAND_WORKERS, "sum"), "workers"),
                ),
            ),
            Panel(
                "Lost records of traces, recordings and alerts",
                "ops",
                (
                    (_rate(names.TRACES_DROPPED), "traces"),
                    (_rate(names.RECORDER_DROPPED), "recording"),
                    (_rate(names.ALERTS_FAILED, "to"), "alerts to {{to}}"),
                ),
            ),
        ),
    ),
)
"""The dashboard, a row of panels after the other."""
