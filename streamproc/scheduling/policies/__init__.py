"""Shed policies: which events are given up, and why. One file each; they compose."""

from streamproc.scheduling.policies.codel import ControlledDelay
from streamproc.scheduling.policies.conflate import superseded
from streamproc.scheduling.policies.excess import excess, least_worth
from streamproc.scheduling.policies.expired import expired
from streamproc.scheduling.policies.options import (
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
from streamproc.scheduling.policies.skip_ahead import Skipper

__all__ = [
    "SHED_POLICIES",
    "CoDel",
    "Conflate",
    "ControlledDelay",
    "Expired",
    "Planner",
    "Priority",
    "ShedName",
    "ShedPolicy",
    "SkipAhead",
    "Skipper",
    "TailDrop",
    "Utility",
    "excess",
    "expired",
    "least_worth",
    "shed_policies",
    "superseded",
]
