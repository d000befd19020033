"""What most people write first: aiokafka, one event at a time.

It follows aiokafka's documentation: the consumer is iterated (``async for message in consumer``, "Consumer client"),
with its default automatic commits, and the producer is given messages by ``send`` ("Producer client"), which batches
them, rather than by ``send_and_wait``, which would pay a round trip for each. ``linger_ms`` 5 and uvloop are in its favour.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import onnxruntime
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def serve(options: argparse.Namespace) -> None:
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        options.model, session_options, providers=["CPUExecutionProvider"]
    )
    consumer = AIOKafkaConsumer(
        options.source,
        bootstrap_servers=options.bootstrap,
        group_id=options.group,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=options.bootstrap, linger_ms=options.linger_ms)
    await consumer.start()
    await producer.start()
    done = 0
    try:
        async for message in consumer:
            event = json.loads(message.value)
            inputs = np.array([event["features"]], dtype=np.float32)
            scores = session.run(None, {"x": inputs})[0][0]
            decision = {"ts": event["ts"], "scores": scores.tolist()}
            await producer.send(options.sink, json.dumps(decision).encode())
            done += 1
            if done == options.stop_after:
                break
    finally:
        await producer.stop()
        await consumer.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "source", "sink", "model", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--stop-after", type=int, required=True)
    parser.add_argument("--linger-ms", type=int, default=5)
    uvloop.run(serve(parser.parse_args()))
