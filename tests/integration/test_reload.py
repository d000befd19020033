"""SIGHUP and ``POST /api/reload`` on a running command with workers: another model, and no event lost."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from streamproc.executors import Rules, look_at
from tests.integration.pipelines import TICK, assert_adds_up, decisions
from tests.integration.worker_group import WorkerCommand
from tests.support import wait_until
from tests.support.kafka import fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

TOKEN = "a-token-of-a-test-0123456789"
EVENTS = 1_000


def other_model(path: Path) -> str:
    """Put another model of the same kind in place; gives its digest."""
    model = onnx.load(path)
    weights = model.graph.initializer[0]
    weights.CopyFrom(
        numpy_helper.from_array(
            (numpy_helper.to_array(weights) * 2).astype(np.float32), weights.name
        )
    )
    new = path.with_suffix(".new")
    new.write_bytes(model.SerializeToString())
    new.replace(path)
    return look_at(str(path), Rules()).digest


def call(address: str, path: str, *, post: bool = False) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://{address}{path}",
        method="POST" if post else "GET",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_two_workers_go_on_with_another_model(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name, token=TOKEN)
    config = tmp_path / f"{topic_name}.yaml"
    address = command.address
    model = tmp_path / "tick.onnx"
    try:
        command.ready()

        def digests() -> set[str]:
            return {m["digest"] for m in call(address, "/api/status")[1]["models"]}

        def all_decided(count: int) -> Any:
            return call(address, "/api/status")[1]["summary"]["consumed"] == count

        before = look_at(str(model), Rules()).digest
        fill(kafka.bootstrap, command.source, TICK.messages(EVENTS))
        wait_until("the first are decided", lambda: all_decided(EVENTS))
        assert digests() == {before}

        by_signal = other_model(model)
        os.kill(command.process.pid, signal.SIGHUP)
        wait_until("the signal is obeyed", lambda: digests() == {by_signal})
        fill(kafka.bootstrap, command.source, TICK.messages(EVENTS))
        wait_until("more are decided", lambda: all_decided(2 * EVENTS))

        by_request = other_model(model)
        status, told = call(address, "/api/reload", post=True)
        assert (status, told["workers"]) == (200, 2), told
        assert [m["digest"] for m in told["models"]] == [by_request]
        content = model.read_bytes()
        model.write_bytes(content[: len(content) // 2])
        status, told = call(address, "/api/reload", post=True)
        assert status == 409
        assert "is no model that works here" in told["error"]
        config.write_text(config.read_text().replace("budget: 10m", "budget: 9m"))
        status, told = call(address, "/api/reload", post=True)
        assert (status, "deadline: a reload cannot change it" in told["error"]) == (409, True), told
        fill(kafka.bootstrap, command.source, TICK.messages(EVENTS))
        wait_until("the last are decided", lambda: all_decided(3 * EVENTS))
        assert digests() == {by_request}
        command.terminate()
        assert command.process.wait(60) == 0, command.log_tail()
    finally:
        command.kill()
    assert_adds_up(command.answer())
    found = [d for _, d in decisions(kafka.bootstrap, command.sink, at_least=3 * EVENTS)]
    assert len({d.id for d in found}) == len(found) == 3 * EVENTS
    assert Counter(d.model["digest"] for d in found) == {
        before: EVENTS,
        by_signal: EVENTS,
        by_request: EVENTS,
    }
