"""The least that rows of Arrow records cost: what the Kafka client, pyarrow and onnxruntime take alone, one added after the other.

    python -m tests.benchmarks.arrow_floor

On the broker, the records and the model of ``arrow.py``. Nothing is decided, accounted or committed: records are read, become
columns, go through the model in batches of 1,024 rows, and as many bytes as streamproc's decisions have are sent. CPU time of
the process, from the first record to the last acknowledgement; each row of the table does all that those above it do.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import onnxruntime
import pyarrow as pa
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.benchmarks.arrow import PARTITIONS, ROWS, Bench
from tests.support.kafka import BENCH_JVM, KafkaBroker, create_topics, delete_topics

if TYPE_CHECKING:
    import numpy as np

BATCH = 1_024
COLUMN_BYTES = 60
"""Of a row decided in columns."""
JSON_BYTES = 400
"""Of a decision in a record of its own."""
STEPS = ("poll", "decode", "model", "send columns", "send one a row")


async def cost_ns(
    bootstrap: str, source: str, sink: str, model: Path, records: int, step: int
) -> float:
    """CPU time a row of the first ``step`` steps, in ns; the two ways of sending are told apart by the last."""
    session = onnxruntime.InferenceSession(model, _options(), providers=["CPUExecutionProvider"])
    consumer = AIOKafkaConsumer(source, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=1 << 20
    )
    await consumer.start()
    await producer.start()
    sent: list[Any] = []
    read, begun = 0, time.process_time_ns()
    while read < records:
        for tp, messages in (await consumer.getmany(timeout_ms=1_000, max_records=28)).items():
            read += len(messages)
            features = _decoded([m.value for m in messages]) if step >= 1 else None
            if features is None or step < 2:
                continue
            for start in range(0, len(features), BATCH):
                rows = features[start : start + BATCH]
                session.run(None, {"x": rows})
                if step > 2:
                    builder = producer.create_batch()
                    values = (
                        [_VALUE] * len(rows) if step == 4 else [bytes(COLUMN_BYTES * len(rows))]
                    )
                    for value in values:
                        builder.append(timestamp=1, key=None, value=value, headers=_HEADERS)
                    sent.append(await producer.send_batch(builder, sink, partition=tp.partition))
    await asyncio.gather(*sent)
    took_ns = time.process_time_ns() - begun
    await consumer.stop()
    await producer.stop()
    return took_ns / (read * ROWS)


_VALUE = bytes(JSON_BYTES)
_HEADERS = [("streamproc-outcome", b"on_time")]


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def _decoded(values: list[bytes]) -> np.ndarray[Any, Any]:
    batches = [pa.ipc.open_stream(value).read_next_batch() for value in values]
    column = pa.Table.from_batches(batches).column("features").combine_chunks()
    found: np.ndarray[Any, Any] = column.flatten().to_numpy().reshape(len(column), -1)
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="arrow_floor", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--records", type=int, default=2_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in STEPS}
    with tempfile.TemporaryDirectory() as folder, KafkaBroker(jvm=BENCH_JVM) as broker:
        bench = Bench(broker, Path(folder), options.records)
        for _ in range(options.rounds):
            for step, name in enumerate(STEPS):
                sink = f"floor-{uuid.uuid4().hex[:8]}"
                create_topics(broker.bootstrap, sink, partitions=PARTITIONS)
                model = Path(folder) / "model.onnx"
                run = cost_ns(broker.bootstrap, bench.source, sink, model, options.records, step)
                found[name].append(asyncio.run(run))
                delete_topics(broker.bootstrap, sink)
    print("| up to | CPU ns a row | rows a CPU second |\n|---|---|---|")
    for name, costs in found.items():
        print(f"| {name} | {median(costs):,.0f} | {1e9 / median(costs):,.0f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
