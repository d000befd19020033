"""What writing and reading a changelog takes of the processor: 100,000 keys with a window of 50 events and totals.

    python -m tests.benchmarks.changelog

CPU time alone, without a broker: of packing the keys that changed, of the longest single piece of that (the event loop does
nothing else meanwhile), and of taking the records in again.
"""

import argparse
import json
import time

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import NS_PER_S, TopicPartition, object_column
from streamproc.engine import Changelog, ChangelogReading, FeatureStep, PartitionTable
from streamproc.features import FeatureState, Program
from streamproc.features.operators import Cumulative, Rolling

SOURCE = TopicPartition("ticks", 0)
OPERATORS = (
    Rolling(field="price", take=["mean"], events=50),
    Cumulative(field="price", take=["count", "mean", "std"]),
)
BATCH = 1_024


def step_of(keys: int) -> FeatureStep:
    """A step that remembers nothing yet."""
    state = FeatureState(max_keys=keys)
    return FeatureStep(Program(OPERATORS, fields={"price": FieldType("float64")}, state=state))


def measure(keys: int) -> dict[str, float]:
    """Write the state of so many keys, and read it."""
    step, partitions = step_of(keys), PartitionTable()
    partitions.assign({SOURCE: 0})
    (partition,) = partitions.all()
    changelog = Changelog("kept", step=step, partitions=partitions, interval_ns=1)
    changelog.begin(partition)
    partition.seen(1)
    changelog.records()
    names = object_column([b"key-%d" % number for number in range(keys)])
    for start in range(0, keys, BATCH):
        key = names[start : start + BATCH]
        step.program.advance(
            {"price": np.ones(len(key))},
            key=key,
            time_ns=np.zeros(len(key), np.int64),
            partition=partition.index,
        )
    partitions.committed({SOURCE: 1 << 60})
    pieces, sent, position = [], [], 1
    changelog.read_to(partition, position, now_ns=position)
    while not sent or any(sent[-1:]):
        position += 1
        began = time.process_time_ns()
        changelog.read_to(partition, position, now_ns=0)  # goes on, and begins no other pass
        pieces.append(time.process_time_ns() - began)
        sent.append(changelog.records())
    records = [one for some in sent for one in some]
    began = time.process_time_ns()
    reading = ChangelogReading(SOURCE, layout=changelog.layout)
    for one in records:
        reading.take(one.key, one.value)
    recalled = reading.recalled(1 << 60)
    step_of(keys).recall(0, recalled)
    read_ns = time.process_time_ns() - began
    return {
        "keys": keys,
        "bytes_a_key": changelog.bytes_a_row,
        "keys_written": changelog.records_total,
        "write_us_a_key": round(sum(pieces) / keys / 1e3, 3),
        "longest_piece_ms": round(max(pieces) / 1e6, 3),
        "keys_read": len(recalled.rows),
        "read_us_a_key": round(read_ns / keys / 1e3, 3),
        "read_keys_per_cpu_second": round(keys / (read_ns / NS_PER_S)),
    }


def main() -> None:
    """Measure, and say it as a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    print(json.dumps(measure(parser.parse_args().keys)))


if __name__ == "__main__":
    main()
