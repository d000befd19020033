"""Recordings: MCAP files with what went into a pipeline and what came out.

``CaptureWriter`` writes them, ``CaptureReader`` reads them:

    with CaptureReader("day.mcap") as capture:
        capture.metadata.configuration, capture.summary.truncated
        for batch in capture.records(topics=["ticks"]):      # RecordBatch, as they were fetched
            ...
        for decision in capture.decisions():                 # RecordedDecision: id, outcome, value ...
            ...
        for columns in capture.outcomes():                   # OutcomeColumns
            ...
        for entry in capture.schedule():                     # ScheduleEntry: version, data
            ...
        for rows in capture.tables():                        # TableRows, of the tables of lookups
            ...

Channels are ``records/TOPIC/PARTITION``, ``decisions``, ``outcomes``, ``schedule``, ``tables/NAME`` and ``gaps``; their messages
are in ``schemas/capture.proto``.
"""

from streamproc.connectors.capture.json_lines import JsonLines, LineForm, TimeUnit, open_lines
from streamproc.connectors.capture.messages import (
    UNKNOWN_LANE,
    Gap,
    OutcomeColumns,
    RecordedDecision,
    ScheduleEntry,
    SentBatch,
)
from streamproc.connectors.capture.metadata import CaptureMetadata, RecordedModel
from streamproc.connectors.capture.options import Record, Redact
from streamproc.connectors.capture.parquet import export_parquet
from streamproc.connectors.capture.reader import CaptureReader, CaptureSummary
from streamproc.connectors.capture.recorder import Recorder
from streamproc.connectors.capture.redaction import KeyKind
from streamproc.connectors.capture.schema import proto_text
from streamproc.connectors.capture.scribe import Job
from streamproc.connectors.capture.writer import CaptureWriter, Rotation, not_there

__all__ = [
    "UNKNOWN_LANE",
    "CaptureMetadata",
    "CaptureReader",
    "CaptureSummary",
    "CaptureWriter",
    "Gap",
    "Job",
    "JsonLines",
    "KeyKind",
    "LineForm",
    "OutcomeColumns",
    "Record",
    "RecordedDecision",
    "RecordedModel",
    "Recorder",
    "Redact",
    "Rotation",
    "ScheduleEntry",
    "SentBatch",
    "TimeUnit",
    "export_parquet",
    "not_there",
    "open_lines",
    "proto_text",
]
