"""The one form that decisions have in Avro and in Protobuf, whatever is decided: its schemas, and its values.

Both schemas are for ever the same (``schemas/decision.avsc``, ``schemas/decision.proto``), so they can be registered
before anything runs. What is decided stands in ``output`` where it fits: ``label`` and ``scores`` of labels, ``values``
of a model's plain numbers, flattened; what a function decides is ``json``.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from streamproc.codecs.decision import (
    SCHEMA_VERSION,
    DecisionModel,
    DecisionRecord,
    key_text,
)
from streamproc.codecs.outputs import Labelled, Numbers, Outputs
from streamproc.core import EventBatch, ModelInfo, Outcome, TopicPartition

_STRING_OR_NULL: Final = ["null", "string"]
_NUMBERS: Final = {"type": "array", "items": "double"}
AVRO: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Decision",
    "namespace": "streamproc",
    "doc": "A decision of a streamproc pipeline; docs/codecs.md describes it.",
    "fields": [
        {"name": "id", "type": "string", "doc": "topic/partition/offset of the input; a repeat has the same."},
        {"name": "schema_version", "type": "int"},
        {"name": "pipeline", "type": "string"},
        {"name": "outcome", "type": "string", "doc": "on_time, degraded or late."},
        {
            "name": "model",
            "type": {
                "type": "record",
                "name": "Model",
                "fields": [
                    {"name": "variant", "type": "string"},
                    {"name": "digest", "type": "string"},
                ],
            },
        },
        {"name": "key", "type": _STRING_OR_NULL, "default": None},
        {"name": "event_time_ns", "type": "long"},
        {"name": "deadline_ns", "type": "long"},
        {"name": "decided_ns", "type": "long"},
        {
            "name": "output",
            "type": {
                "type": "record",
                "name": "Output",
                "fields": [
                    {"name": "label", "type": _STRING_OR_NULL, "default": None},
                    {"name": "scores", "type": _NUMBERS, "default": [], "doc": "In the order of the labels."},
                    {"name": "values", "type": _NUMBERS, "default": [], "doc": "The model's output as it is, flattened."},
                    {"name": "json", "type": _STRING_OR_NULL, "default": None, "doc": "What a function decided."},
                ],
            },
        },
    ],
}  # fmt: skip
PROTO: Final = """\
// A decision of a streamproc pipeline; docs/codecs.md describes it.
syntax = "proto3";

package streamproc;

message Decision {
  message Model {
    string variant = 1;
    string digest = 2;
  }
  message Output {
    optional string label = 1;
    // In the order of the labels.
    repeated double scores = 2;
    // The model's output as it is, flattened.
    repeated double values = 3;
    // What a function decided.
    optional string json = 4;
  }
  // topic/partition/offset of the input; a repeat has the same.
  string id = 1;
  int32 schema_version = 2;
  string pipeline = 3;
  // on_time, degraded or late.
  string outcome = 4;
  Model model = 5;
  optional string key = 6;
  int64 event_time_ns = 7;
  int64 deadline_ns = 8;
  int64 decided_ns = 9;
  Output output = 10;
}
"""


class DecisionRows:
    """Makes of decisions the rows that both forms write.

    Args:
        pipeline: its name.
        model: what decided.
    """

    def __init__(self, pipeline: str, model: ModelInfo) -> None:
        self._shared = {
            "schema_version": SCHEMA_VERSION,
            "pipeline": pipeline,
            "model": {"variant": model.variant, "digest": model.digest},
        }

    def of(
        self,
        source: TopicPartition,
        outcome: Outcome,
        events: EventBatch,
        decided_ns: int,
        outputs: Outputs,
    ) -> Iterator[dict[str, Any]]:
        """A row for each decision; see ``DecisionEncoder.encode``."""
        head = f"{source.topic}/{source.partition}"
        offsets = events.offset.tolist()
        ids = [f"{head}/{offset}" for offset in offsets]
        if events.row is not None:
            ids = [f"{one}/{row}" for one, row in zip(ids, events.row.tolist(), strict=True)]
        shared = {**self._shared, "outcome": outcome.word, "decided_ns": decided_ns}
        for one, key, event_time_ns, deadline_ns, output in zip(
            ids,
            events.key.tolist(),
            events.event_time_ns.tolist(),
            events.deadline_ns.tolist(),
            _outputs(outputs),
            strict=True,
        ):
            yield {
                **shared,
                "id": one,
                "key": key_text(key),
                "event_time_ns": event_time_ns,
                "deadline_ns": deadline_ns,
                "output": output,
            }


def record_of(row: dict[str, Any]) -> DecisionRecord:
    """A row as it is read back; ``output`` is what JSON would say, but that ``values`` stay flat."""
    output = row["output"]
    said: object
    if output["json"] is not None:
        said = msgspec.json.decode(output["json"])
    elif output["label"] is not None:
        scores = {"scores": output["scores"]} if output["scores"] else {}
        said = {"label": output["label"], **scores}
    else:
        said = output["values"]
    model = DecisionModel(row["model"]["variant"], row["model"]["digest"])
    return DecisionRecord(**{**row, "model": model, "output": said})


def _outputs(outputs: Outputs) -> Sequence[dict[str, Any]]:
    match outputs:
        case Labelled(labels=labels, choice=choice, scores=scores):
            rows = [[]] * len(choice) if scores is None else scores.astype(np.float64).tolist()
            return [
                _output(label=labels[at], scores=row)
                for at, row in zip(choice.tolist(), rows, strict=True)
            ]
        case Numbers(values=values):
            flat = values.reshape(len(values), -1).astype(np.float64)
            return [_output(values=row) for row in flat.tolist()]
        case _:
            return [_output(json=text.decode()) for text in outputs.json_texts()]


def _output(**said: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"label": None, "scores": [], "values": [], "json": None} | said
