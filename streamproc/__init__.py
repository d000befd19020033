"""Real-time inference on event streams: every event gets an answer in time, or an honest account of why not.

What is here is the public API; each name is imported when it is first used, so that ``import streamproc``
costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamproc.codecs import DecisionRecord, JsonCodec, decode_decision
    from streamproc.config import LoadedConfig, PipelineConfig, load
    from streamproc.connectors.kafka import EmbeddedBroker, KafkaSink, KafkaSource
    from streamproc.core import (
        VERSION,
        ConfigError,
        Duration,
        EventBatch,
        ExternalError,
        InvariantError,
        Outcome,
        RecordError,
        Size,
        StreamprocError,
        TransientError,
    )
    from streamproc.engine import Deadline, EventTime, Outcomes, Output, PythonFunction
    from streamproc.executors import Breaker, Isolation, Model, OnnxRuntime, PythonModel, Simulated
    from streamproc.runtime import Pipeline, Service
    from streamproc.scheduling import Batching
    from streamproc.telemetry import Metrics, Telemetry

__all__ = [
    "VERSION",
    "Batching",
    "Breaker",
    "ConfigError",
    "Deadline",
    "DecisionRecord",
    "Duration",
    "EmbeddedBroker",
    "EventBatch",
    "EventTime",
    "ExternalError",
    "InvariantError",
    "Isolation",
    "JsonCodec",
    "KafkaSink",
    "KafkaSource",
    "LoadedConfig",
    "Metrics",
    "Model",
    "OnnxRuntime",
    "Outcome",
    "Outcomes",
    "Output",
    "Pipeline",
    "PipelineConfig",
    "PythonFunction",
    "PythonModel",
    "RecordError",
    "Service",
    "Simulated",
    "Size",
    "StreamprocError",
    "Telemetry",
    "TransientError",
    "decode_decision",
    "load",
]

_ROOMS = {
    "codecs": ("DecisionRecord", "JsonCodec", "decode_decision"),
    "config": ("LoadedConfig", "PipelineConfig", "load"),
    "connectors.kafka": ("EmbeddedBroker", "KafkaSink", "KafkaSource"),
    "core": (
        "VERSION",
        "ConfigError",
        "Duration",
        "EventBatch",
        "ExternalError",
        "InvariantError",
        "Outcome",
        "RecordError",
        "Size",
        "StreamprocError",
        "TransientError",
    ),
    "engine": ("Deadline", "EventTime", "Outcomes", "Output", "PythonFunction"),
    "executors": ("Breaker", "Isolation", "Model", "OnnxRuntime", "PythonModel", "Simulated"),
    "runtime": ("Pipeline", "Service"),
    "scheduling": ("Batching",),
    "telemetry": ("Metrics", "Telemetry"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _ROOM_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
