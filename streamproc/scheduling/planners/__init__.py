"""Planners: which waiting events make the next micro-batch, and when. One file each."""

from streamproc.scheduling.options import Batching
from streamproc.scheduling.planners.aimd import Aimd
from streamproc.scheduling.planners.deferred import Deferred
from streamproc.scheduling.planners.early_drop import EarlyDrop
from streamproc.scheduling.planners.fixed import Fixed
from streamproc.scheduling.planners.plan import EVERYTHING_NS, Plan, Planner, View
from streamproc.scheduling.planners.work_conserving import WorkConserving

__all__ = [
    "EVERYTHING_NS",
    "Aimd",
    "Deferred",
    "EarlyDrop",
    "Fixed",
    "Plan",
    "Planner",
    "View",
    "WorkConserving",
    "make_planner",
]


def make_planner(batching: Batching) -> Planner:
    """The planner that the options name."""
    match batching.policy:
        case "early_drop":
            return EarlyDrop()
        case "work_conserving":
            return WorkConserving()
        case "deferred":
            return Deferred()
        case "fixed":
            return Fixed(int(batching.max_queue_delay))
        case "aimd":
            return Aimd()
