"""A recording of events whose truth is in them, and a model for what the pipeline makes of them."""

from pathlib import Path

import numpy as np
import orjson
from onnx import TensorProto, helper, numpy_helper

from streamproc.connectors.capture import CaptureMetadata, CaptureWriter
from streamproc.core import RecordBatch, TopicPartition, VirtualClock

START_NS = 1_700_000_000_000_000_000
EVENTS, KEYS = 1_200, 20
LABELS = ("down", "up")
CONFIG = """\
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float64, kind: str, truth: str, place: int64}}}
features:
- rolling: {field: x, take: [mean], events: 3, as: recent}
- formula: {of: "x * 2", as: twice}
absorb: "kind == 'quote'"
state: {ttl: 1h}
model: {path: somewhere/else.onnx, golden: {file: not-there.npz}}
output: {labels: [down, up]}
sink: {kafka: {topic: decisions}}
"""


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each event: x, whether it is a quote, and whether it goes up."""
    generator = np.random.default_rng(7)
    x = generator.normal(size=EVENTS).round(3)
    quote = generator.uniform(size=EVENTS) < 0.25
    return x, quote, (x + generator.normal(size=EVENTS) > 0)


def write_recording(path: Path, *, configuration: str = CONFIG, keys: int = KEYS) -> None:
    """Record them, one key after the other."""
    x, quote, up = drawn()
    metadata = CaptureMetadata(recording="r", pipeline="p", configuration=configuration)
    with CaptureWriter(path, metadata, clock=VirtualClock(START_NS), durable=False) as writer:
        for first in range(0, EVENTS, 50):
            rows = range(first, first + 50)
            values = [
                orjson.dumps(
                    {
                        "x": float(x[row]),
                        "kind": "quote" if quote[row] else "trade",
                        "truth": LABELS[int(up[row])],
                        "place": int(up[row]),
                    }
                )
                for row in rows
            ]
            at_ns = START_NS + np.array(rows) * 1_000_000
            writer.records(
                RecordBatch(
                    source=TopicPartition("ticks", 0),
                    offset=np.array(rows),
                    timestamp_ns=at_ns,
                    key=[b"k%d" % (row % keys) for row in rows],
                    value=values,
                    headers={},
                    arrival_ns=int(at_ns[-1]),
                    end_position=first + 50,
                )
            )


def write_model(path: Path) -> None:
    """A layer over [recent, twice], which says up where twice x is above 0, but for a little of the other."""
    weight = np.array([[-0.1, 0.1], [-1.0, 1.0]], np.float32)
    nodes = [
        helper.make_node("Gemm", ["f", "w", "b"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(np.zeros(2, np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
