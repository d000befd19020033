"""The pipeline's file: read, checked and described; its objects are what a Python user writes by hand."""

from streamproc.config.checks import check
from streamproc.config.documents import read_document
from streamproc.config.ends import group_of, kafka_sink, kafka_source
from streamproc.config.hidden_fields import hidden_kind, redact_of_key
from streamproc.config.loaded import LoadedConfig
from streamproc.config.loader import load, parse
from streamproc.config.log_redaction import hide_in_logs
from streamproc.config.schema import json_schema
from streamproc.config.secrets import Secret, is_sensitive, redact, secrets_of
from streamproc.config.shape import choice_of_kind
from streamproc.config.spec import PipelineConfig
from streamproc.config.written import plain, written

__all__ = [
    "LoadedConfig",
    "PipelineConfig",
    "Secret",
    "check",
    "choice_of_kind",
    "group_of",
    "hidden_kind",
    "hide_in_logs",
    "is_sensitive",
    "json_schema",
    "kafka_sink",
    "kafka_source",
    "load",
    "parse",
    "plain",
    "read_document",
    "redact",
    "redact_of_key",
    "secrets_of",
    "written",
]
