"""Sends events at a rate with gaps as of independent arrivals (Poisson), by an absolute schedule; a process of its own.

Each event carries when it was due (``ts``, ns since 1970), and whether it is ``urgent``; the rate may have steps. Prints
how late it was itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import time

import numpy as np
from confluent_kafka import Producer

KEYS = 64
FEATURES = 16
_POLL_EVERY = 32


def schedule(
    rng: np.random.Generator, steps: list[tuple[float, float]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """When events are due (ns from the begin): for each step, so many a second for so many seconds."""
    parts, begin_s = [], 0.0
    for rate, seconds in steps:
        count = rng.poisson(rate * seconds)
        parts.append(begin_s + np.sort(rng.random(count)) * seconds)
        begin_s += seconds
    return (np.concatenate(parts) * 1e9).astype(np.int64)


def send(options: argparse.Namespace) -> dict[str, object]:
    """Send the events; tells when the first moment was, and how late they were handed over."""
    rng = np.random.default_rng(options.seed)
    due_ns = schedule(
        rng, [tuple(map(float, step.split("x"))) for step in options.steps.split(",")]
    )
    urgent = (rng.random(len(due_ns)) < options.urgent).astype(int).tolist()
    kinds = [json.dumps(rng.random(FEATURES).round(4).tolist()).encode() for _ in range(KEYS)]
    keys = [b"%d" % number for number in range(KEYS)]
    failures: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "linger.ms": 1,
            "queue.buffering.max.messages": 1_000_000,
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: failures.append(error),
        }
    )
    producer.list_topics(options.topic, timeout=10)
    late_ns = np.zeros(len(due_ns), np.int64)
    gc.disable()
    begun_ns = time.time_ns() + 200_000_000
    for number, due in enumerate((due_ns + begun_ns).tolist()):
        while (wait_ns := due - time.time_ns()) > 0:
            time.sleep(wait_ns / 1e9)
        kind = number % KEYS
        # An urgent event and another have different keys: an order of keys is then no order of lanes.
        key = keys[kind] if urgent[number] else b"other-" + keys[kind]
        producer.produce(
            options.topic,
            b'{"ts":%d,"urgent":%d,"f":%b}' % (due, urgent[number], kinds[kind]),
            key,
            timestamp=due // 1_000_000,
        )
        late_ns[number] = time.time_ns() - due
        if number % _POLL_EVERY == 0:
            producer.poll(0)
    left = producer.flush(30)
    return {
        "begun_ns": begun_ns,
        "events": len(due_ns),
        "lag_ms": dict(
            zip(("p50", "p99", "max"), np.percentile(late_ns / 1e6, [50, 99, 100]), strict=True)
        ),
        "not_delivered": left + len(failures),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--steps", required=True, help="RATExSECONDS,...")
    parser.add_argument("--urgent", type=float, default=0.2, help="their share")
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(send(parser.parse_args())))
