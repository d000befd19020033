"""Sends events by an absolute schedule, whatever becomes of them: an open loop, as traffic is.

Each event carries the instant at which it was *due*, not the one at which it was sent: an event that the generator
sends late is a late event, as it would be to its user (coordinated omission, Tene 2013). How late the generator
itself was is what it prints. A process of its own, so that nothing else stands in its way.
"""

from __future__ import annotations

import argparse
import gc
import json
import time

import numpy as np
from confluent_kafka import Producer

from tests.benchmarks.workloads import KEYS, WORKLOADS

LINGER_MS = 1
"""With none librdkafka sends a request an event, and neither it nor a small broker can hold 5,000 a second. This much
is in all figures, the floor's too."""
BEGIN_IN_NS = 200_000_000
_POLL_EVERY = 64


def send(options: argparse.Namespace) -> dict[str, object]:
    """Send the events.

    Returns:
        when the first was due, and the gap to the next; how late they were handed to the producer (``lag_ms``), and
        how long after the last was due the broker had all of them (``behind_ms``): a backlog shows there.
    """
    head, tails = WORKLOADS[options.workload].templates()
    keys = [b"%d" % number for number in range(KEYS)]
    failures: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "linger.ms": LINGER_MS,
            "queue.buffering.max.messages": 1_000_000,
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: failures.append(error),
        }
    )
    producer.list_topics(options.topic, timeout=10)  # connected before the first is due
    count, gap_ns = options.events, 1_000_000_000 // options.rate
    late_ns = np.zeros(count, np.int64)
    gc.collect()
    gc.disable()
    now_ns, sleep, produce = time.time_ns, time.sleep, producer.produce
    first_ns = due_ns = now_ns() + BEGIN_IN_NS
    for number in range(count):
        while (wait_ns := due_ns - now_ns()) > 0:
            sleep(wait_ns / 1e9)
        kind = number % KEYS
        produce(options.topic, head + b"%d" % due_ns + tails[kind], keys[kind])
        late_ns[number] = now_ns() - due_ns
        due_ns += gap_ns
        if number % _POLL_EVERY == 0:
            producer.poll(0)
    left = producer.flush(30)
    behind_ns = now_ns() - (due_ns - gap_ns)
    measured = late_ns[options.warm_up :] / 1e6
    p50, p99 = np.percentile(measured, [50, 99]).tolist()
    return {
        "first_due_ns": first_ns,
        "gap_ns": gap_ns,
        "lag_ms": {"p50": p50, "p99": p99, "max": float(measured.max())},
        "behind_ms": behind_ns / 1e6,
        "not_delivered": left + len(failures),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--workload", choices=list(WORKLOADS), required=True)
    parser.add_argument("--rate", type=int, required=True, help="events a second")
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True, help="events left out of the lag")
    print(json.dumps(send(parser.parse_args())))
