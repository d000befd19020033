"""Objectives: what is promised, how fast its budget burns, who is told, what is done about it."""

from streamproc.slo.alerts import Alert, fingerprint
from streamproc.slo.brake import Measures
from streamproc.slo.counts import Counts, LabelCounts
from streamproc.slo.evaluator import Evaluator
from streamproc.slo.options import (
    Alerts,
    Labels,
    Objective,
    OnBurn,
    endings,
    latencies_ns,
    percent,
)
from streamproc.slo.rule_tests import unit_tests_of
from streamproc.slo.rules import rules_of
from streamproc.slo.sessions import Session
from streamproc.slo.watch import Burn, ObjectiveWatch, Standing
from streamproc.slo.windows import WindowPair, duration_text, windows_of

__all__ = [
    "Alert",
    "Alerts",
    "Burn",
    "Counts",
    "Evaluator",
    "LabelCounts",
    "Labels",
    "Measures",
    "Objective",
    "ObjectiveWatch",
    "OnBurn",
    "Session",
    "Standing",
    "WindowPair",
    "duration_text",
    "endings",
    "fingerprint",
    "latencies_ns",
    "percent",
    "rules_of",
    "unit_tests_of",
    "windows_of",
]
