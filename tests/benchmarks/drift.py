"""What watching drift costs: CPU time of an event, by features and share looked at.

python -m tests.benchmarks.drift
"""

import numpy as np

from streamproc.core import process_cpu_ns
from streamproc.telemetry import DriftMonitor, DriftReference

EVENTS = 200_000
BATCH = 512


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(1)
    print("| features | every | ns/event |\n|---|---|---|")
    for features in (16, 128):
        batches = [rng.normal(size=(BATCH, features)).astype(np.float32) for _ in range(8)]
        reference = DriftReference.of({"f": np.concatenate(batches)})
        for every in (1, 10, 100):
            monitor = DriftMonitor(reference, window=10_000, every=every)
            began = process_cpu_ns()
            for number in range(EVENTS // BATCH):
                monitor.observe({"f": batches[number % len(batches)]})
            took = process_cpu_ns() - began
            print(f"| {features} | {every} | {took / EVENTS:.0f} |")


if __name__ == "__main__":
    main()
