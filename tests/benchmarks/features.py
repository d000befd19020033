"""What the feature step takes: 100,000 keys, five rolling statistics and a sequence of 50 steps.

    python -m tests.benchmarks.features

CPU time of ``Program.advance`` alone, over batches as the intake gives them, each key as likely as any other, which is
the worst for the processor's caches; every key's windows are full before it is measured. The memory is what the state
allots for a key, and the process's own growth divided by the keys.
"""

import argparse
import json
import resource
import time
from typing import Any

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Duration, object_column
from streamproc.features import FeatureState, Program
from streamproc.features.operators import KeySequence, Rolling

STEPS = 50
OPERATORS = (
    Rolling(field="price", take=["count", "mean", "std", "min", "max"], events=STEPS),
    KeySequence(fields=["price"], steps=STEPS),
)


def measure(*, keys: int, batch: int, batches: int, dtype: str) -> dict[str, Any]:
    """Run the step; gives events per CPU second and bytes a key."""
    rng = np.random.default_rng(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    state = FeatureState(max_keys=keys, ttl=Duration.parse("1h"))
    program = Program(OPERATORS, fields={"price": FieldType(dtype)}, state=state)
    names = object_column([b"key-%d" % number for number in range(keys)])
    now_ns = 1_700_000_000_000_000_000

    def advance(which: Any) -> int:
        nonlocal now_ns
        n = len(which)
        columns = {"price": rng.standard_normal(n).astype(dtype)}
        key, time_ns = names[which], now_ns + np.arange(n)
        now_ns += n
        begun = time.process_time_ns()
        for start in range(0, n, program.rows_max):
            rows = slice(start, start + program.rows_max)
            program.advance(
                {"price": columns["price"][rows]}, key=key[rows], time_ns=time_ns[rows], partition=0
            )
        return time.process_time_ns() - begun

    for start in range(0, keys, 50):  # some keys' whole windows at once, so that this is soon done
        advance(np.tile(np.arange(start, min(keys, start + 50)), STEPS))
    taken_ns = sum(advance(rng.integers(0, keys, batch)) for _ in range(batches))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return {
        "keys": keys,
        "batch": batch,
        "dtype": dtype,
        "events_per_cpu_second": round(batch * batches / (taken_ns / 1e9)),
        "state_bytes_a_key": program.bytes_a_key,
        "process_bytes_a_key": round(grown / keys),
    }


def main() -> None:
    """Measure, and say it as one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--batch", type=int, nargs="+", default=[1_024, 64])
    parser.add_argument("--dtype", nargs="+", default=["float64", "float32"])
    options = parser.parse_args()
    for dtype in options.dtype:
        for batch in options.batch:
            found = measure(keys=options.keys, batch=batch, batches=options.batches, dtype=dtype)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
