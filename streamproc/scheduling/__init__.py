"""The heart: which event is decided when, with which others, and which not at all. Pure, sans-I/O."""

from streamproc.scheduling.latency_model import LatencyModel, SendLatency
from streamproc.scheduling.options import Batching, Ordering, ShedPolicy
from streamproc.scheduling.queue import DeadlineQueue
from streamproc.scheduling.scheduler import PROBE_EVERY_NS, Scheduler
from streamproc.scheduling.steps import BatchReason, Idle, Run, Shed, Step

__all__ = [
    "PROBE_EVERY_NS",
    "BatchReason",
    "Batching",
    "DeadlineQueue",
    "Idle",
    "LatencyModel",
    "Ordering",
    "Run",
    "Scheduler",
    "SendLatency",
    "Shed",
    "ShedPolicy",
    "Step",
]
