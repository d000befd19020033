"""Decisions as rows of Arrow records, schema version 1.

A record holds decisions about events of one partition, made together by one model, that end alike. What they
share stands in the schema's metadata: ``streamproc.schema_version``, ``.pipeline``, ``.topic``, ``.partition``,
``.outcome``, ``.variant``, ``.digest``. Its columns:

    offset         int64                 of the input record
    row            int32, nullable       the event's row in it; null where the record was one event
    key            binary, nullable
    event_time_ns  int64
    deadline_ns    int64
    decided_ns     int64
    traceparent    utf8, nullable        of the decisions that carry a trace on
    output         struct<label: dictionary<utf8>, scores: fixed_size_list<float>>, or what else is decided:
                   numbers, a struct of the user's columns, or JSON texts
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from streamproc.codecs.arrow import to_array
from streamproc.codecs.arrow_stream import StreamWriter, to_stream
from streamproc.codecs.decision import (
    SCHEMA_VERSION,
    DecisionModel,
    DecisionRecord,
    key_text,
)
from streamproc.codecs.options import ArrowDecisions
from streamproc.codecs.outputs import Fields, Labelled, Numbers, Outputs
from streamproc.core import EventBatch, ModelInfo, ObjectArray, Outcome, TopicPartition, constant

_PREFIX = "streamproc."


class ArrowDecisionEncoder:
    """Writes the decisions of one pipeline and one model, many in a record.

    Args:
        options: how.
        pipeline: its name.
        model: what decided.
    """

    several = True

    def __init__(self, options: ArrowDecisions, pipeline: str, model: ModelInfo) -> None:
        compression = None if options.compression == "none" else options.compression
        self._compression = compression
        self._writer = StreamWriter()
        self._shared = {
            "schema_version": str(SCHEMA_VERSION),
            "pipeline": pipeline,
            "variant": model.variant,
            "digest": model.digest,
        }

    def encode(
        self,
        *,
        source: TopicPartition,
        outcome: Outcome,
        events: EventBatch,
        decided_ns: int,
        outputs: Outputs,
        traceparent: Mapping[int, bytes],
    ) -> list[bytes]:
        """One value; see ``DecisionEncoder``."""
        count = len(events)
        row = pa.nulls(count, pa.int32())
        if events.row is not None:
            row = pa.array(events.row.astype(np.int32))
        traces = pa.nulls(count, pa.utf8())
        if traceparent:
            texts = {place: value.decode() for place, value in traceparent.items()}
            traces = pa.array([texts.get(place) for place in range(count)], pa.utf8())
        columns = {
            "offset": pa.array(events.offset),
            "row": row,
            "key": _keys(events.key),
            "event_time_ns": pa.array(events.event_time_ns),
            "deadline_ns": pa.array(events.deadline_ns),
            "decided_ns": pa.array(constant(decided_ns, count)),
            "traceparent": traces,
            "output": _output(outputs),
        }
        shared = {
            **self._shared,
            "topic": source.topic,
            "partition": str(source.partition),
            "outcome": outcome.word,
        }
        metadata = {f"{_PREFIX}{name}": text for name, text in shared.items()}
        if self._compression is not None:
            batch = pa.RecordBatch.from_pydict(columns, metadata=metadata)
            return [to_stream(batch, compression=self._compression)]
        labels = outputs.labels if isinstance(outputs, Labelled) else ()
        kind = (source, outcome, tuple(labels), columns["output"].type)
        return [self._writer.write(kind, columns, metadata)]


def decode_arrow_decisions(value: bytes) -> list[DecisionRecord]:
    """Read the decisions of an Arrow record as objects; ``pyarrow.ipc.open_stream`` gives the columns.

    Raises:
        ValueError: it holds none.
    """
    try:
        table = pa.ipc.open_stream(value).read_all()
        shared = {
            name.decode().removeprefix(_PREFIX): text.decode()
            for name, text in (table.schema.metadata or {}).items()
        }
        head = f"{shared['topic']}/{shared['partition']}"
        model = DecisionModel(shared["variant"], shared["digest"])
        version = int(shared["schema_version"])
        rows = table.to_pylist()
        return [
            DecisionRecord(
                id=f"{head}/{row['offset']}" + ("" if row["row"] is None else f"/{row['row']}"),
                schema_version=version,
                pipeline=shared["pipeline"],
                outcome=shared["outcome"],
                model=model,
                key=key_text(row["key"]),
                event_time_ns=row["event_time_ns"],
                deadline_ns=row["deadline_ns"],
                decided_ns=row["decided_ns"],
                output=_read_output(row["output"]),
            )
            for row in rows
        ]
    except (pa.ArrowException, KeyError, OSError) as error:
        msg = f"no Arrow record of decisions: {error}"
        raise ValueError(msg) from error


def _keys(keys: ObjectArray) -> Any:  # noqa: ANN401 - pyarrow has no types
    listed = keys.tolist()
    if listed[:1] == [None] and listed.count(None) == len(listed):
        return pa.nulls(len(listed), pa.binary())
    return pa.array(listed, pa.binary())


def _read_output(output: object) -> object:
    return msgspec.json.decode(output) if isinstance(output, str) else output


@lru_cache
def _words(labels: tuple[str, ...]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """The labels as an array: of a list of Python's it takes pyarrow longer than all the rest of a decision."""
    return pa.array(labels, pa.utf8())


def _output(outputs: Outputs) -> Any:  # noqa: ANN401 - pyarrow has no types
    match outputs:
        case Labelled(labels=labels, choice=choice, scores=scores):
            words = pa.DictionaryArray.from_arrays(choice.astype(np.int16), _words(tuple(labels)))
            if scores is None:
                return pa.StructArray.from_arrays([words], ["label"])
            return pa.StructArray.from_arrays([words, to_array(scores)], ["label", "scores"])
        case Numbers(values=values):
            return to_array(values)
        case Fields(columns=columns):
            return pa.StructArray.from_arrays(
                [to_array(c) for c in columns.values()], list(columns)
            )
        case _:
            return pa.array([text.decode() for text in outputs.json_texts()], pa.utf8())
