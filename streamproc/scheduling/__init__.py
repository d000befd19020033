"""The heart: which event is decided when, with which others, and which not at all. Pure, sans-I/O."""

from streamproc.scheduling.arms import ArmedScheduler, ArmSpec, arm_of
from streamproc.scheduling.cascade import CascadeScheduler, StageSpec
from streamproc.scheduling.demand import ArrivalRate, demand_workers
from streamproc.scheduling.ladder import Variant, VariantLadder
from streamproc.scheduling.lanes import LaneSpec
from streamproc.scheduling.latency_model import LatencyModel
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.options import Batching, Lane, Ordering, PlannerName
from streamproc.scheduling.policies import (
    SHED_POLICIES,
    CoDel,
    Conflate,
    Expired,
    Planner,
    Priority,
    ShedName,
    ShedPolicy,
    SkipAhead,
    TailDrop,
    Utility,
    shed_policies,
)
from streamproc.scheduling.queue import DeadlineQueue
from streamproc.scheduling.reload import Reload
from streamproc.scheduling.scheduler import PROBE_EVERY_NS, Scheduler
from streamproc.scheduling.send_latency import SendLatency
from streamproc.scheduling.steps import (
    Action,
    BatchReason,
    Idle,
    Run,
    Shed,
    SkipTo,
    Step,
    WaitUntil,
)

__all__ = [
    "PROBE_EVERY_NS",
    "SHED_POLICIES",
    "Action",
    "ArmSpec",
    "ArmedScheduler",
    "ArrivalRate",
    "BatchReason",
    "Batching",
    "CascadeScheduler",
    "CoDel",
    "Conflate",
    "DeadlineQueue",
    "Expired",
    "Idle",
    "Lane",
    "LaneSpec",
    "LatencyModel",
    "Offered",
    "Ordering",
    "Planner",
    "PlannerName",
    "Priority",
    "Reload",
    "Run",
    "Scheduler",
    "SendLatency",
    "Shed",
    "ShedName",
    "ShedPolicy",
    "SkipAhead",
    "SkipTo",
    "StageSpec",
    "Step",
    "TailDrop",
    "Utility",
    "Variant",
    "VariantLadder",
    "WaitUntil",
    "arm_of",
    "demand_workers",
    "shed_policies",
]
