"""What the metrics of models that are tried are."""

from typing import Final

from streamproc.telemetry import names
from streamproc.telemetry.definition import Definition

_ROLLOUT = "with `rollout`"

ROLLOUT_DEFINITIONS: Final = (
    Definition(
        names.ARM_SHARE,
        "gauge",
        "The share of the keys that each model decides about now.",
        ("arm",),
        when=_ROLLOUT,
    ),
    Definition(
        names.ARM_OUTCOMES,
        "counter",
        "Events by the model that was to decide about them, and what became of them.",
        ("arm", "outcome"),
        when=_ROLLOUT,
    ),
    Definition(
        names.ARM_FAILED,
        "counter",
        "Events on which their model failed, so that the model itself decided.",
        ("arm",),
        when=_ROLLOUT,
    ),
    Definition(
        names.ARM_LATENCY,
        "histogram",
        "From event time to the broker's acknowledgement, by the model that was to decide.",
        ("arm",),
        when=_ROLLOUT,
    ),
    Definition(
        names.ROLLBACKS,
        "counter",
        "Canaries that were taken back, by why.",
        ("arm", "reason"),
        when=_ROLLOUT,
    ),
    Definition(
        names.COMPARED,
        "counter",
        "Events that a candidate and the model itself both decided.",
        ("candidate",),
        when=_ROLLOUT,
    ),
    Definition(
        names.DIFFERED,
        "counter",
        "Those of them that were decided otherwise.",
        ("candidate",),
        when=_ROLLOUT,
    ),
    Definition(
        names.DIFFERENCE,
        "counter",
        "The sum over them of how far the numbers of the two decisions lie apart at most.",
        ("candidate",),
        when=_ROLLOUT,
    ),
    Definition(
        names.NOT_COMPARED,
        "counter",
        "Events that were to be compared and were not: there was no time, or what ran aside failed.",
        ("candidate", "reason"),
        when=_ROLLOUT,
    ),
    Definition(
        names.COMPARING,
        "counter",
        "Time that a candidate's comparison ran aside.",
        ("candidate",),
        when=_ROLLOUT,
    ),
)
