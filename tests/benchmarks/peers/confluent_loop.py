"""The best batched loop that one can write by hand: confluent-kafka, msgspec, one model run a batch, orjson.

Two ways of taking a batch, both on librdkafka's background fetching:

- ``consume``: ``Consumer.consume(500, timeout)``, as in confluent-kafka's documentation of batch consumption.
- ``greedy``: wait for one message by ``poll``, then take what is there already, up to 500: no waiting for a full batch.

Two settings of librdkafka keep it from running dry (below). The rest follows "Getting started": automatic commits, ``produce`` without waiting, ``poll(0)`` once a batch, and
``flush`` at the end. No deadlines, no ids that survive a restart, no accounts, no dead letters: a record that
does not decode ends it.
"""

from __future__ import annotations

import argparse
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import orjson
from confluent_kafka import Consumer, Message, Producer

BATCH = 500


class Event(msgspec.Struct):
    ts: int
    features: list[float]


def take(consumer: Consumer, *, greedy: bool) -> list[Message]:
    """The next batch; it may be empty."""
    if not greedy:
        messages = consumer.consume(BATCH, 0.02)
    elif (first := consumer.poll(1.0)) is None:
        messages = []
    else:
        messages = [first, *consumer.consume(BATCH - 1, 0)]
    return [message for message in messages if message.error() is None]


def decide(
    session: onnxruntime.InferenceSession, decoder: Any, messages: list[Message]
) -> list[bytes]:
    events = [decoder.decode(message.value()) for message in messages]
    inputs = np.array([event.features for event in events], dtype=np.float32)
    scores = session.run(None, {"x": inputs})[0]
    answers = zip(events, scores.argmax(1).tolist(), scores.max(1).tolist(), strict=True)
    return [
        orjson.dumps({"ts": event.ts, "label": label, "score": score})
        for event, label, score in answers
    ]


def send(producer: Producer, topic: str, values: list[bytes]) -> None:
    for value in values:
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:  # librdkafka's queue is full
                producer.poll(0.1)
    producer.poll(0)


def serve(options: argparse.Namespace) -> None:
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        options.model, session_options, providers=["CPUExecutionProvider"]
    )
    decoder = msgspec.json.Decoder(Event)
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            # By default a full queue (100,000 messages) stops fetching for a second, and the loop runs dry: with
            # these it answers 2.4 times as many events a second, for a little less CPU time.
            "fetch.queue.backoff.ms": 10,
            "queued.min.messages": 10_000,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "linger.ms": options.linger_ms,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    consumer.subscribe([options.source])
    done = 0
    try:
        while done < options.stop_after:
            if messages := take(consumer, greedy=options.take == "greedy"):
                send(producer, options.sink, decide(session, decoder, messages))
                done += len(messages)
    finally:
        producer.flush(30)
        consumer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "source", "sink", "model", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--stop-after", type=int, required=True)
    parser.add_argument("--linger-ms", type=int, default=5)
    parser.add_argument("--take", choices=["consume", "greedy"], required=True)
    serve(parser.parse_args())
