"""Prometheus, promtool and Alertmanager, where the machine has them (Debian: ``apt-get install prometheus prometheus-alertmanager``)."""

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client.core import Metric

_PLACES = {
    "promtool": ("promtool",),
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
}


def program(name: str) -> str:
    """The path of a program; skips the test where the machine has none."""
    for candidate in _PLACES[name]:
        if (found := shutil.which(candidate)) is not None:
            return found
    pytest.skip(f"there is no {name} here: apt-get install prometheus prometheus-alertmanager")


def promtool(*words: str, cwd: Path, timeout_s: float = 300.0) -> str:
    """Run promtool; gives what it said, and fails with it where it is not content."""
    done = subprocess.run(
        [program("promtool"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def histogram_quantile(family: Metric, q: float) -> float:
    """Prometheus' own: linear within the bucket (promql/quantile.go, ``BucketQuantile``)."""
    buckets = [
        (float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket")
    ]
    rank = q * buckets[-1][1]
    for (below, before), (bound, count) in pairwise([(0.0, 0.0), *buckets]):
        if count >= rank:
            return below + (bound - below) * (rank - before) / (count - before)
    raise AssertionError
