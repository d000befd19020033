"""What would make a replay differ is refused by the linter: clocks outside ``core.Clock``, unseeded randomness."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CALLS = (
    *("time.time()", "time.time_ns()", "time.monotonic()", "time.monotonic_ns()"),
    *("time.perf_counter()", "time.perf_counter_ns()", "time.process_time()"),
    *("time.clock_gettime(0)", "time.localtime()", "time.gmtime()"),
    *("datetime.datetime.now()", "datetime.datetime.utcnow()", "datetime.datetime.today()"),
    *("datetime.date.today()", "uuid.uuid1()", "uuid.uuid4()", "os.urandom(8)"),
    *("secrets.token_hex()", "random.random()", "numpy.random.rand()", "numpy.random.seed(1)"),
    *("numpy.random.normal()", "numpy.random.shuffle([1])"),
)


def test_the_linter_refuses_all_of_them() -> None:
    lines = ["import datetime, os, random, secrets, time, uuid, numpy", *CALLS]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--output-format", "json",
         "--stdin-filename", "streamproc/engine/some.py", "-"],
        input="\n".join(lines), capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    refused = {found["location"]["row"] for found in json.loads(done.stdout)}
    passed = [call for row, call in enumerate(CALLS, start=2) if row not in refused]
    imports = {"random.random()", "secrets.token_hex()"}  # refused where they are imported
    assert set(passed) <= imports
    assert 1 in refused
