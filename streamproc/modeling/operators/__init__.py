"""Where a model's time goes: its operators, beside what this machine can do."""

from streamproc.modeling.operators.advice import advice
from streamproc.modeling.operators.costs import Cost, costs_of
from streamproc.modeling.operators.profile import ModelProfile, OperatorTime, profile_model
from streamproc.modeling.operators.roofline import Roofline, measure_roofline

__all__ = [
    "Cost",
    "ModelProfile",
    "OperatorTime",
    "Roofline",
    "advice",
    "costs_of",
    "measure_roofline",
    "profile_model",
]
"""What the command needs."""
