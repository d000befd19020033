"""Variants of a model, the best first."""

from dataclasses import dataclass

from streamproc.scheduling.latency_model import LatencyModel


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of the model.

    Attributes:
        name: as the user calls it.
        quality: what a decision of it is worth, 1 being one of the best.
        latency: how long its batches take.
    """

    name: str
    quality: float
    latency: LatencyModel
