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
from streamproc.replay.simulation.arrivals_capture import read_capture
from streamproc.replay.simulation.arrivals_csv import read_arrivals
from streamproc.replay.simulation.bounds import fluid_bound
from streamproc.replay.simulation.capacity import capacity_per_s
from streamproc.replay.simulation.comparison import Trial, compare, load_one_per_s
from streamproc.replay.simulation.machine import Machine, SimulatedVariant, straight_line
from streamproc.replay.simulation.optimum import Optimum, exact, optimum
from streamproc.replay.simulation.result import IN_TIME, Ran, Result
from streamproc.replay.simulation.simulator import Rules, make_scheduler, simulate
from streamproc.replay.simulation.traffic import Traffic

__all__ = [
    "IN_TIME",
    "Machine",
    "Optimum",
    "Ran",
    "RateProfile",
    "Result",
    "Rules",
    "SimulatedVariant",
    "Traffic",
    "Trial",
    "bursty",
    "busy_stretches",
    "capacity_per_s",
    "compare",
    "diurnal",
    "exact",
    "flash_crowd",
    "fluid_bound",
    "load_one_per_s",
    "make_scheduler",
    "optimum",
    "poisson",
    "read_arrivals",
    "read_capture",
    "recorded",
    "simulate",
    "step",
    "straight_line",
]
