"""The scheduler on a virtual clock: arrivals, a simulated executor, and the best that could have been done."""

from streamproc.replay.simulation.arrivals import (
    RateProfile,
    bursty,
    busy_stretches,
    diurnal,
    flash_crowd,
    poisson,
    recorded,
    step,
)
from streamproc.replay.simulation.bounds import fluid_bound
from streamproc.replay.simulation.capacity import capacity_per_s
from streamproc.replay.simulation.optimum import Optimum, exact, optimum

__all__ = [
    "Optimum",
    "RateProfile",
    "bursty",
    "busy_stretches",
    "capacity_per_s",
    "diurnal",
    "exact",
    "flash_crowd",
    "fluid_bound",
    "optimum",
    "poisson",
    "recorded",
    "step",
]
