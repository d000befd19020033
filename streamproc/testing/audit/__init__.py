"""The outcome auditor: inputs, outputs and committed offsets, held against what a pipeline promises."""

from streamproc.testing.audit.auditor import Auditor
from streamproc.testing.audit.report import AuditReport, Delivery
from streamproc.testing.audit.topics import audit_topics, read_topic

__all__ = ["AuditReport", "Auditor", "Delivery", "audit_topics", "read_topic"]
