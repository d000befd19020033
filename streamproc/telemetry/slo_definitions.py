"""What the metrics of objectives are."""

from typing import Final

from streamproc.telemetry import names
from streamproc.telemetry.definition import Definition

_SLO = "with `slo`"

SLO_DEFINITIONS: Final = (
    Definition(
        names.SLO_OBJECTIVE,
        "gauge",
        "The share that is to be good.",
        ("pipeline", "slo"),
        when=_SLO,
    ),
    Definition(
        names.SLO_BUDGET_LEFT,
        "gauge",
        "The share of the period's budget that is left.",
        ("pipeline", "slo"),
        when=_SLO,
    ),
    Definition(
        names.SLO_BURN,
        "gauge",
        "How many times faster than the budget allows it burns.",
        ("pipeline", "slo", "window"),
        when=_SLO,
    ),
    Definition(
        names.SLO_FIRING, "gauge", "Alerts that fire.", ("pipeline", "slo", "severity"), when=_SLO
    ),
    Definition(
        names.SLO_SESSION,
        "gauge",
        "For how long the session has been open.",
        ("pipeline", "slo"),
        when="with `slo` that has a session",
    ),
    Definition(
        names.SLO_ACTING,
        "gauge",
        "1 while something is done about it (on_burn).",
        ("pipeline", "slo"),
        when="with `slo` that has `on_burn`",
    ),
    Definition(
        names.LABELS,
        "counter",
        "Decisions by what their labels said of them.",
        ("pipeline", "slo", "result"),
        when="with `slo` that has `labels`",
    ),
    Definition(names.ALERTS_SENT, "counter", "Alerts that were taken.", ("to",), when=_SLO),
    Definition(
        names.ALERTS_FAILED, "counter", "Tries to send alerts that failed.", ("to",), when=_SLO
    ),
)
