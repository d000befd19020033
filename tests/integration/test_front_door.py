"""The command on a real broker, with a cascade and a front door: the stream and who asks besides it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

from tests.integration.pipelines import (
    TICK,
    Command,
    assert_adds_up,
    decisions,
    set_up,
)
from tests.support.kafka import fill
from tests.support.processes import free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

EVENTS = 2_000
ASKED = 20


def curl(url: str, content: Any = None) -> tuple[int, Any]:
    """What a person would do: the status, and the JSON."""
    data = [] if content is None else ["-d", json.dumps(content)]
    words = ["curl", "-sS", "-w", "\n%{http_code}", *data, url]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    body, _, status = ran.stdout.rpartition("\n")
    return int(status or 0), json.loads(body) if body else None


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_a_cascade_decides_the_stream_and_a_person_asks_its_model(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    port = free_port()
    TICK.write_model(tmp_path / "tick.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "tick.onnx")
    scores = np.sort(session.run(None, {"x": np.array(TICK.vectors, np.float32)})[0], axis=1)
    unsure = float(np.median(scores[:, -1] - scores[:, -2]))
    variants = [
        {"name": "full", "path": "tick.onnx"},
        {"name": "small", "path": "tick.onnx", "quality": 0.9},
    ]
    setup = set_up(
        kafka,
        topic_name,
        tmp_path,
        model={"path": None, "variants": variants, "cascade": {"unsure": f"margin < {unsure}"}},
        serve={"listen": f"127.0.0.1:{port}"},
    )
    fill(kafka.bootstrap, setup.source, TICK.messages(EVENTS))
    command = Command(setup.config)
    try:
        url = f"http://127.0.0.1:{port}/v2"
        wait_until(
            "the front door is open", lambda: curl(f"{url}/health/ready")[0] == 200, timeout_s=120
        )
        _, model = curl(f"{url}/models/{topic_name}")
        (takes,) = model["inputs"]
        row = np.linspace(-1, 1, 16, dtype=np.float32).round(3)
        tensor = {**takes, "shape": [1, 16], "data": row.tolist()}
        answers = [
            curl(f"{url}/models/{topic_name}/infer", {"inputs": [tensor]}) for _ in range(ASKED)
        ]
        wait_until(
            "all events are decided",
            lambda: len(decisions(kafka.bootstrap, setup.sink)) == EVENTS,
            timeout_s=120,
        )
    finally:
        command.terminate()
        command.process.wait(60)
    assert {status for status, _ in answers} == {200}, answers
    assert len({json.dumps(answer["outputs"]) for _, answer in answers}) == 1
    summary = command.answer()
    assert_adds_up(summary)
    assert summary["consumed"] == EVENTS
    made = decisions(kafka.bootstrap, setup.sink, at_least=EVENTS)
    assert Counter(d.outcome for _, d in made) == {"on_time": EVENTS}
    for _, one in made:
        second, first = sorted(one.output["scores"])[-2:]
        if abs(first - second - unsure) > 1e-4:  # scores are written with fewer digits
            assert one.model["variant"] == ("full" if first - second < unsure else "small")
    assert {one.model["variant"] for _, one in made} == {"full", "small"}
