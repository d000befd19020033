"""``python -m tests.golden_files.make FOLDER``: what this version of streamproc writes, a small file of each kind."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64encode
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamproc.config import load
from streamproc.connectors.kafka.progress_text import to_stored
from streamproc.core import Progress, SystemClock
from streamproc.executors import MANIFEST_NAME, look_at, write_manifest
from streamproc.executors.models import Rules
from streamproc.runtime import Pipeline, Service
from streamproc.scheduling import LatencyModel
from streamproc.testing import MemoryBroker, MemorySink, MemorySource

if TYPE_CHECKING:
    from streamproc.telemetry import Summary

EVENTS = 40
TOPICS = ("ticks", "decisions", "prices.dlq", "prices.shed", "prices.ledger")
PROGRESS = (
    Progress(7, np.empty(0, np.int64)),
    Progress(7, np.array([9, 10, 11, 40], np.int64)),
    Progress(0, np.arange(1, 400, 3, dtype=np.int64)),
)
PIPELINE = """\
name: prices
source:
  kafka: {bootstrap_servers: "localhost:9092", topics: [ticks], auto_offset_reset: earliest}
codec:
  json: {fields: {price: float64}}
features: [price]
deadline: {budget: 10m}
model: {path: model.onnx}
sink:
  kafka: {topic: decisions}
outcomes: {shed_topic: prices.shed, ledger_topic: prices.ledger}
telemetry: {metrics: {listen: null}}
"""


def main(folder: Path) -> None:
    """Write them all."""
    folder.mkdir()
    _write_model(folder / "model.onnx")
    files = look_at(str(folder / "model.onnx"), Rules()).files
    write_manifest(folder / MANIFEST_NAME, {file.path: (file.size, file.sha256) for file in files})
    (folder / "pipeline.yaml").write_text(PIPELINE)
    _write_topics(folder)
    latency = LatencyModel([1, 8, 64], [900_000, 1_700_000, 7_000_000], size_max=64)
    for run_ns in (2_000_000, 2_100_000):
        latency.observe(8, run_ns)
    (folder / "latency.json").write_text(latency.to_json() + "\n")
    stored = [
        {**to_stored(progress)._asdict(), "beyond": progress.beyond.tolist()}
        for progress in PROGRESS
    ]
    (folder / "progress.json").write_text(json.dumps(stored) + "\n")


def _write_model(path: Path) -> None:
    """Twice the price."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["price", "two"], ["out"])],
        "twice",
        [helper.make_tensor_value_info("price", TensorProto.DOUBLE, ["n", 1])],
        [helper.make_tensor_value_info("out", TensorProto.DOUBLE, ["n", 1])],
        [numpy_helper.from_array(np.array([2.0]), "two")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )


def _write_topics(folder: Path) -> None:
    """A pipeline's inputs and outputs, its summary, and its recording."""
    clock = SystemClock()
    broker = MemoryBroker(dict.fromkeys(TOPICS, 2), clock=clock)
    for number in range(EVENTS):
        broker.produce("ticks", {"price": number / 4}, key=f"k{number % 5}", partition=number % 2)
    broker.produce("ticks", b'{"price": "none"}', key="k0", partition=0)
    broker.produce("ticks", {"price": 1}, headers={"x-deadline-ns": b"1"}, partition=1)
    with chdir(folder):  # no path of this machine stands in the recording
        summary = asyncio.run(_run(broker, clock))
    (recording,) = folder.glob("*.mcap")
    recording.rename(folder / "recording.mcap")
    (folder / "summary.json").write_text(json.dumps(summary) + "\n")
    with (folder / "topics.jsonl").open("w") as file:
        for topic in TOPICS:
            for record in broker.records(topic):
                line = msgspec.to_builtins(record) | {"headers": [
                    [name, None if value is None else b64encode(value).decode()]
                    for name, value in record.headers
                ]}  # fmt: skip
                file.write(json.dumps(line) + "\n")


async def _run(broker: MemoryBroker, clock: SystemClock) -> Summary:
    config = Pipeline.from_file(load("pipeline.yaml", overrides=["record.path=."], environ={}))
    parts = config.parts(
        source=MemorySource(broker, ["ticks"], group="prices", ends=True),
        sink=MemorySink(broker),
        clock=clock,
    )
    return await Service(config, parts).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
