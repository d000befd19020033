"""Notes when each record of a topic arrives; a process of its own, so that nothing else stands in its way.

It reads all partitions from their beginnings until it has what it waits for, or until nothing comes any more, and
writes int64 [n, 3]: when it had each record (ns since 1970), when its event was due, and the class that the record names (-1 for none).
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Consumer, Message, TopicPartition

from tests.benchmarks.workloads import WORKLOADS


def receive(options: argparse.Namespace) -> list[tuple[int, list[Message]]]:
    """The messages, in the groups in which they came, each with the instant."""
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": "receiver",  # required, and without effect: nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
        }
    )
    partitions = consumer.list_topics(options.topic, timeout=10).topics[options.topic].partitions
    consumer.assign([TopicPartition(options.topic, number, 0) for number in partitions])
    groups: list[tuple[int, list[Message]]] = []
    count, quiet_since = 0, time.monotonic()
    gc.collect()
    gc.disable()
    while count < options.events and time.monotonic() - quiet_since < options.quiet_s:
        first = consumer.poll(0.5)
        if first is None:
            continue
        group = [first, *consumer.consume(1_000, 0)]
        groups.append((time.time_ns(), group))
        count += len(group)
        quiet_since = time.monotonic()
    consumer.close()
    return groups


def table(
    groups: list[tuple[int, list[Message]]], labels: tuple[str, ...]
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    rows = [
        (at_ns, *_read(orjson.loads(message.value()), labels))
        for at_ns, group in groups
        for message in group
        if message.error() is None
    ]
    return np.array(rows, np.int64).reshape(-1, 3)


def _read(record: dict[str, object], labels: tuple[str, ...]) -> tuple[int, int]:
    """When a record's event was due, and its class, of whichever program (or the generator) it is."""
    match record:
        case {"event_time_ns": int(due_ns), "output": {"label": str(label)}}:
            return due_ns, labels.index(label)
        case {"ts": int(due_ns), "label": int(number)}:
            return due_ns, number
        case {"ts": int(due_ns), "scores": list(scores)}:
            return due_ns, scores.index(max(scores))
        case {"ts": int(due_ns)}:
            return due_ns, -1
    msg = f"no event and no decision: {record}"
    raise ValueError(msg)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--workload", choices=list(WORKLOADS), required=True)
    parser.add_argument("--events", type=int, required=True, help="how many to wait for")
    parser.add_argument("--quiet-s", type=float, required=True, help="after which it waits no more")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    np.save(given.out, table(receive(given), WORKLOADS[given.workload].labels))
