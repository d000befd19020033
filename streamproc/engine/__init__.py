"""The pipeline as one synchronous object: bytes and times in, effects out."""

from streamproc.engine.carried import bytes_a_key
from streamproc.engine.changelog import Changelog
from streamproc.engine.changelog_records import ChangelogReading, Recalled
from streamproc.engine.comparer import Compared
from streamproc.engine.conclude import Concluder
from streamproc.engine.decide import (
    Decider,
    LabelDecider,
    PlainDecider,
    PythonDecider,
    check_labels,
)
from streamproc.engine.destinations import Destinations
from streamproc.engine.doubt import Doubt
from streamproc.engine.effects import Effect, Infer, Send, Skip, Stop
from streamproc.engine.engine import Engine
from streamproc.engine.escalation import Escalation, Stages
from streamproc.engine.event_order import EventOrder
from streamproc.engine.event_times import DEADLINE_HEADER, EventTimes, Times
from streamproc.engine.feature_step import FeatureStep
from streamproc.engine.feature_tap import FeatureTap
from streamproc.engine.intake import Intake
from streamproc.engine.isolate import Span
from streamproc.engine.judge import Limits as CanaryLimits
from streamproc.engine.judge import Verdict
from streamproc.engine.key_turns import KeyTurns
from streamproc.engine.lanes import Lanes
from streamproc.engine.ledger import (
    Ledger,
    LedgerOutcome,
    LedgerRecord,
    decode_ledger,
)
from streamproc.engine.letters import (
    DETAIL_HEADER,
    OUTCOME_HEADER,
    OWN_HEADERS,
    REASON_HEADER,
    RECEIPT_HEADER,
    ROWS_HEADER,
    SHA256_HEADER,
    SIZE_HEADER,
    SOURCE_HEADER,
)
from streamproc.engine.limits import Limits
from streamproc.engine.logged_engine import LoggedEngine
from streamproc.engine.offering import Offering
from streamproc.engine.options import (
    Deadline,
    EventTime,
    Outcomes,
    Output,
    PythonFunction,
    Reorder,
    Skew,
)
from streamproc.engine.partitions import PartitionTable
from streamproc.engine.parts import EngineParts
from streamproc.engine.requests import (
    ANSWER_KINDS,
    RequestAnswer,
    Requests,
    Signature,
    signature_of,
)
from streamproc.engine.rescue import Rescued, rescue
from streamproc.engine.rollout import BASE_ARM, Rollout
from streamproc.engine.rollout_plan import ArmPlan, CanaryPlan, RolloutPlan, ShadowPlan
from streamproc.engine.schedule_log import (
    Beginning,
    Call,
    Entry,
    LoggedClock,
    ScheduleLog,
)
from streamproc.engine.screen import Screen
from streamproc.engine.settled import Settled
from streamproc.engine.settlement import Settlement, Tap, Witness
from streamproc.engine.stateful import StatefulModel
from streamproc.engine.stopping import Stopping, salvage, was_stopped
from streamproc.engine.tracker import AcknowledgementTracker
from streamproc.engine.transaction import Cut, OpenTransaction
from streamproc.engine.turnwise import TurnwiseScheduler

__all__ = [
    "ANSWER_KINDS",
    "BASE_ARM",
    "DEADLINE_HEADER",
    "DETAIL_HEADER",
    "OUTCOME_HEADER",
    "OWN_HEADERS",
    "REASON_HEADER",
    "RECEIPT_HEADER",
    "ROWS_HEADER",
    "SHA256_HEADER",
    "SIZE_HEADER",
    "SOURCE_HEADER",
    "AcknowledgementTracker",
    "ArmPlan",
    "Beginning",
    "Call",
    "CanaryLimits",
    "CanaryPlan",
    "Changelog",
    "ChangelogReading",
    "Compared",
    "Concluder",
    "Cut",
    "Deadline",
    "Decider",
    "Destinations",
    "Doubt",
    "Effect",
    "Engine",
    "EngineParts",
    "Entry",
    "Escalation",
    "EventOrder",
    "EventTime",
    "EventTimes",
    "FeatureStep",
    "FeatureTap",
    "Infer",
    "Intake",
    "KeyTurns",
    "LabelDecider",
    "Lanes",
    "Ledger",
    "LedgerOutcome",
    "LedgerRecord",
    "Limits",
    "LoggedClock",
    "LoggedEngine",
    "Offering",
    "OpenTransaction",
    "Outcomes",
    "Output",
    "PartitionTable",
    "PlainDecider",
    "PythonDecider",
    "PythonFunction",
    "Recalled",
    "Reorder",
    "RequestAnswer",
    "Requests",
    "Rescued",
    "Rollout",
    "RolloutPlan",
    "ScheduleLog",
    "Screen",
    "Send",
    "Settled",
    "Settlement",
    "ShadowPlan",
    "Signature",
    "Skew",
    "Skip",
    "Span",
    "Stages",
    "StatefulModel",
    "Stop",
    "Stopping",
    "Tap",
    "Times",
    "TurnwiseScheduler",
    "Verdict",
    "Witness",
    "bytes_a_key",
    "check_labels",
    "decode_ledger",
    "rescue",
    "salvage",
    "signature_of",
    "was_stopped",
]
