"""Running a pipeline: its event loop, lifecycle, drains and endpoints."""

from streamproc.runtime.assembly import (
    Assembly,
    Sweep,
    Watch,
    assemble,
    dead_letter_topic,
    make_decider,
    unwatched,
)
from streamproc.runtime.cascade import make_doubt
from streamproc.runtime.codecs import make_decoder
from streamproc.runtime.decision_schemas import ask_for_decision_schema
from streamproc.runtime.draining import DRAIN_GRACE_NS
from streamproc.runtime.drift import read_reference
from streamproc.runtime.features import make_features, make_program
from streamproc.runtime.inference import Ran, attempt, saved, try_again
from streamproc.runtime.machine import machine_facts
from streamproc.runtime.parts import Parts
from streamproc.runtime.pipeline import Pipeline
from streamproc.runtime.recording import metadata_of, outcome_columns, sent_batch
from streamproc.runtime.rolled_back import TakenBackEntry, read_entries
from streamproc.runtime.rollout import identity_of
from streamproc.runtime.scheduling import (
    lane_budgets_ns,
    lane_specs,
    make_lanes,
    make_offering,
    transaction_interval_ns,
)
from streamproc.runtime.service import Service
from streamproc.runtime.table_topics import fed_tables
from streamproc.runtime.workers import WorkerGroup

__all__ = [
    "DRAIN_GRACE_NS",
    "Assembly",
    "Parts",
    "Pipeline",
    "Ran",
    "Service",
    "Sweep",
    "TakenBackEntry",
    "Watch",
    "WorkerGroup",
    "ask_for_decision_schema",
    "assemble",
    "attempt",
    "dead_letter_topic",
    "fed_tables",
    "identity_of",
    "lane_budgets_ns",
    "lane_specs",
    "machine_facts",
    "make_decider",
    "make_decoder",
    "make_doubt",
    "make_features",
    "make_lanes",
    "make_offering",
    "make_program",
    "metadata_of",
    "outcome_columns",
    "read_entries",
    "read_reference",
    "saved",
    "sent_batch",
    "transaction_interval_ns",
    "try_again",
    "unwatched",
]
