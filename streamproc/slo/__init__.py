"""Objectives: what is promised, how fast its budget burns, who is told, what is done about it."""

from streamproc.slo.alerts import Alert, fingerprint, instant_text
from streamproc.slo.brake import Measures
from streamproc.slo.collector import SloCollector
from streamproc.slo.counts import Counts, LabelCounts, count
from streamproc.slo.courier import Courier
from streamproc.slo.evaluator import Evaluator
from streamproc.slo.labels import LabelJoin
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
from streamproc.slo.state import restore, save
from streamproc.slo.view import standing_view, view_of
from streamproc.slo.watch import Burn, ObjectiveWatch, Standing
from streamproc.slo.webhook import Webhook, message_of
from streamproc.slo.windows import WindowPair, duration_text, windows_of
from streamproc.slo.yaml_text import yaml_text

__all__ = [
    "Alert",
    "Alerts",
    "Burn",
    "Counts",
    "Courier",
    "Evaluator",
    "LabelCounts",
    "LabelJoin",
    "Labels",
    "Measures",
    "Objective",
    "ObjectiveWatch",
    "OnBurn",
    "Session",
    "SloCollector",
    "Standing",
    "Webhook",
    "WindowPair",
    "count",
    "duration_text",
    "endings",
    "fingerprint",
    "instant_text",
    "latencies_ns",
    "message_of",
    "percent",
    "restore",
    "rules_of",
    "save",
    "standing_view",
    "unit_tests_of",
    "view_of",
    "windows_of",
    "yaml_text",
]
