"""For users' tests and plug-in authors: a broker in memory, fakes, pipelines on a virtual clock, contracts."""

from streamproc.core import VirtualClock
from streamproc.testing.assertions import (
    assert_accounts,
    assert_no_on_time_after_deadline,
    assert_order,
)
from streamproc.testing.audit import Auditor, AuditReport, audit_topics
from streamproc.testing.broker import MemoryBroker, StoredRecord
from streamproc.testing.executor import FakeExecutor
from streamproc.testing.outcomes import OutcomeChecker, OutcomeReport
from streamproc.testing.pipeline_test import PipelineTest
from streamproc.testing.result import Decision, FinalOutcome, Letter, TestResult
from streamproc.testing.sink import MemorySink
from streamproc.testing.source import MemorySource

__all__ = [
    "AuditReport",
    "Auditor",
    "Decision",
    "FakeExecutor",
    "FinalOutcome",
    "Letter",
    "MemoryBroker",
    "MemorySink",
    "MemorySource",
    "OutcomeChecker",
    "OutcomeReport",
    "PipelineTest",
    "StoredRecord",
    "TestResult",
    "VirtualClock",
    "assert_accounts",
    "assert_no_on_time_after_deadline",
    "assert_order",
    "audit_topics",
]
