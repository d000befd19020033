"""Running a pipeline: its event loop, lifecycle, drains and endpoints."""

from streamproc.runtime.assembly import (
    Assembly,
    assemble,
    dead_letter_topic,
    make_decider,
    make_features,
)
from streamproc.runtime.codecs import make_decoder
from streamproc.runtime.pipeline import Pipeline
from streamproc.runtime.scheduling import lane_specs, transaction_interval_ns
from streamproc.runtime.service import DRAIN_GRACE_NS, Parts, Service
from streamproc.runtime.workers import WorkerGroup

__all__ = [
    "DRAIN_GRACE_NS",
    "Assembly",
    "Parts",
    "Pipeline",
    "Service",
    "WorkerGroup",
    "assemble",
    "dead_letter_topic",
    "lane_specs",
    "make_decider",
    "make_decoder",
    "make_features",
    "transaction_interval_ns",
]
