"""Numbers are given once at a time, and back when their process ends."""

import subprocess
import sys

from streamproc.runtime.slots import Slots

HOLD = """
import sys
from streamproc.runtime.slots import Slots
with Slots(sys.argv[1], 2) as slots:
    print(*slots.numbers, flush=True)
    sys.stdin.read()
"""


def test_the_lowest_free_numbers(topic_name: str) -> None:
    with Slots(topic_name, 2) as first:
        assert first.numbers == [0, 1]
        with Slots(topic_name, 3) as second:
            assert second.numbers == [2, 3, 4]
        with Slots(topic_name, 1) as third:
            assert third.numbers == [2]
        with Slots(f"{topic_name}-other", 1) as other:
            assert other.numbers == [0]
    with Slots(topic_name, 1) as again:
        assert again.numbers == [0]


def test_a_killed_process_gives_them_back(topic_name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, topic_name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "0 1\n"
        with Slots(topic_name, 1) as slots:
            assert slots.numbers == [2]
        other.kill()
        other.wait()
        with Slots(topic_name, 1) as slots:
            assert slots.numbers == [0]
