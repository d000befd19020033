"""On what a benchmark ran, and the file that keeps what it found."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import confluent_kafka

from tests.support.kafka import kafka_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench-results"
PACKAGES = (
    "aiokafka",
    "confluent-kafka",
    "msgspec",
    "numpy",
    "onnxruntime",
    "orjson",
    "pyarrow",
    "pysimdjson",
    "uvloop",
)


def write_result(folder: Path, name: str, began: datetime, found: Mapping[str, Any]) -> Path:
    """Write what was found with the date, the commit, the machine and the versions; gives the file.

    Args:
        folder: where to; made if it is not there.
        name: of the benchmark: how the file's name begins.
        began: when it was started.
        found: its figures.
    """
    result = {
        "date": began.isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        **found,
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{began:%Y%m%dT%H%M%SZ}-{result['commit']}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    return file


def machine() -> dict[str, Any]:
    """The processor, its cores and governor, the kernel, and the load average of one minute."""
    try:
        cpu_info = Path("/proc/cpuinfo").read_text()
        cpu = next(line for line in cpu_info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.machine()
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cpu": cpu.rpartition(": ")[2],
        "cores": len(os.sched_getaffinity(0)),
        "governor": governor.read_text().strip() if governor.exists() else "unknown",
        "kernel": platform.release(),
        "load_1m": load_1m(),
    }


def load_1m() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def versions() -> dict[str, str]:
    """Of Python, Kafka and the packages that count."""
    found = {"python": platform.python_version(), "kafka": kafka_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found | {"librdkafka": _librdkafka()}


def commit() -> str:
    """The commit that is measured, with ``-dirty`` where the tree differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match="]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _librdkafka() -> str:
    return str(confluent_kafka.libversion()[0])
