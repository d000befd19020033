"""A small pipeline, and the user code that the tests give it."""

from typing import Any

import numpy as np

from streamproc.codecs import JsonCodec
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import Columns, Duration, EventBatch
from streamproc.engine import Deadline
from streamproc.executors import Model, Simulated
from streamproc.runtime import Pipeline
from streamproc.telemetry import Metrics, Telemetry

MS = 1_000_000
POISON = 666.0


def pipeline(**changes: Any) -> Pipeline:
    """``ticks`` with a number ``x`` and a key ``k`` to ``decisions``, within 100 ms."""
    parts: dict[str, Any] = {
        "name": "p",
        "source": KafkaSource(topics=("ticks",), auto_offset_reset="earliest"),
        "codec": JsonCodec(fields={"x": "float64"}),
        "features": ("x",),
        "model": Model(executor=Simulated()),
        "sink": KafkaSink(topic="decisions"),
        "deadline": within("100ms"),
        "telemetry": Telemetry(metrics=Metrics(listen=None)),
    }
    return Pipeline(**(parts | changes))


def within(budget: str, *, from_: str = "event_time") -> Deadline:
    return Deadline(budget=Duration.parse(budget), from_=from_)  # type: ignore[arg-type]


def raise_at_poison(batch: EventBatch) -> Any:
    if (batch["x"] == POISON).any():
        msg = "poison \ud800"
        raise ValueError(msg)
    return batch["x"][:, np.newaxis]


def nan_at_poison(batch: EventBatch) -> Any:
    return np.where(batch["x"] == POISON, np.nan, batch["x"])[:, np.newaxis]


def decide_not_at_poison(batch: EventBatch, outputs: Columns) -> list[object]:
    raise_at_poison(batch)
    return [{"x": x} for x in batch["x"].tolist()]


def decide_at_length(batch: EventBatch, outputs: Columns) -> list[object]:
    return ["x" * int(x) for x in batch["x"].tolist()]


def reference_to(function: Any) -> str:
    return f"{__name__}:{function.__name__}"
