"""What befalls a model: its own process crashes, hangs or has no memory; its file is broken when it is loaded anew."""

from __future__ import annotations

import os
import re
import signal
import urllib.request
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import onnx

from tests.executors.isolated import models
from tests.faults.scenario import Scenario, register, scenario
from tests.faults.stage import FLOWS_S
from tests.integration.pipelines import TICK, decision, headers
from tests.support import descendants, free_port, wait_until
from tests.support.kafka import Message, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.faults.scenario import Act
    from tests.faults.stage import Stage

POISONS = 3
AMONG = 2_000
"""The poison is somewhere in so many events, where the seed has it."""
KILLS = 4


def _isolated(stage: Stage, isolation: Mapping[str, Any] | None = None, **more: Any) -> Path:
    """A pipeline's file: a function in a process of its own, which does what the poison in an event says."""
    return stage.config(
        model={
            "path": None,
            "executor": {"python": {"callable": f"{models.__name__}:double"}},
            "isolation": {"timeout": "20s", **(isolation or {})},
        },
        output={"labels": [], "scores": False},
        **more,
    )


def _poisoned(poison: float, places: frozenset[int], count: int) -> Iterator[Message]:
    """The usual events; those at some places have a number that the model dies of."""
    poisoned = f'"features":[{poison:.0f},'.encode()
    for number, message in enumerate(TICK.messages(count)):
        if number not in places:
            yield message
            continue
        assert message.value is not None
        head, features, tail = message.value.partition(b'"features":[')
        assert features
        yield Message(head + poisoned + tail.partition(b",")[2], message.key)


def _poison(poison: float, reason: str, isolation: dict[str, Any]) -> Act:
    """The poison records alone are dead letters; all others, also those of their batches, are decided."""

    def act(stage: Stage) -> None:
        places = frozenset(stage.rng.choice(AMONG, POISONS, replace=False).tolist())
        stage.load(messages=partial(_poisoned, poison, places))
        stage.start(_isolated(stage, isolation))
        stage.flows(2 * AMONG, timeout_s=2 * FLOWS_S)
        found = stage.finish(repeats_max=0)
        letters = read(stage.direct, f"{stage.group}.dlq", at_least=POISONS)
        reasons = Counter(headers(letter)["streamproc-reason"] for letter in letters)
        assert reasons == {reason.encode(): POISONS}, reasons
        assert all(f"[{poison:.0f},".encode() in (letter.value or b"") for letter in letters)
        stage.say(
            f"{POISONS} poison records; {found}; the longest time without a decision was {found.gap_s:.1f} s"
        )

    return act


_POISONS: dict[str, tuple[str, float, str, dict[str, Any]]] = {
    "model_segfault": ("crashes (a segmentation fault)", models.SEGFAULT, "model_crashed", {}),
    "model_out_of_memory": (
        "takes all memory that it is allowed",
        models.LEAK,
        "model_crashed",
        {"memory_limit": "256MiB"},
    ),
    "model_hang": ("never answers", models.HANG, "model_timeout", {"timeout": "500ms"}),
}
for _name, (_does, _number, _reason, _isolation) in _POISONS.items():
    register(
        Scenario(
            name=_name,
            fault=f"with `isolation`: of some records the model's process {_does}",
            promise=f"these records alone are dead letters (`{_reason}`); nothing lost or repeated",
            act=_poison(_number, _reason, _isolation),
            shares=True,
        )
    )


@scenario(
    "with `isolation`: SIGKILL of one of the model's processes, four times",
    "the other takes over: nothing lost or repeated, no dead letter, less than 2 s without a decision (measured on a machine that does nothing else)",
)
def model_process_killed(stage: Stage) -> None:
    stage.load()
    port = free_port()
    config = _isolated(stage, telemetry={"metrics": {"listen": f"127.0.0.1:{port}"}})
    worker = stage.start(config)
    for _ in range(KILLS):
        stage.flows()
        wait_until("the spare is ready", lambda: _ready_processes(port) == 2, FLOWS_S)
        os.kill(int(stage.rng.choice(list(descendants(worker.pid)))), signal.SIGKILL)
    stage.flows()
    found = stage.finish(repeats_max=0)
    assert found.letters == 0, found
    stage.say(
        f"{KILLS} kills; {found}; the longest time without a decision was {found.gap_s:.1f} s"
    )


def _ready_processes(port: int) -> int:
    """How many of the model's processes are loaded and warm, by the metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(r"^streamproc_model_processes\{[^}]*\} (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


@scenario(
    "the model's file is half there, then other bytes, when it is loaded anew; a start meets it as well",
    "one line says why, and the model that ran decides on; a start ends with a line, exit 2; the right file is taken",
    shares=True,
)
def corrupt_model(stage: Stage) -> None:
    config = stage.config()
    path = config.with_name("tick.onnx")
    whole = path.read_bytes()
    stage.load()
    worker = stage.start(config)
    stage.flows()
    for turn, content in enumerate((whole[: len(whole) // 2], stage.rng.bytes(len(whole))), 1):
        _put(path, content)
        os.kill(worker.pid, signal.SIGHUP)
        wait_until("the refusal", lambda n=turn: worker.log_tail().count("reload failed") == n)
        stage.flows()
    refused = stage.start(config)
    assert refused.process.wait(90) == 2, refused.log_tail()
    assert "tick.onnx is no model that works here" in refused.log_tail(), refused.log_tail()
    another = onnx.load_from_string(whole)
    another.doc_string = "the same answers, another file"
    _put(path, another.SerializeToString())
    os.kill(worker.pid, signal.SIGHUP)
    wait_until("it is taken", lambda: "reloaded: " in worker.log_tail())
    stage.flows()
    found = stage.finish(repeats_max=0)
    assert "Traceback" not in worker.log_tail(20_000), worker.log_tail()
    digests = {decision(r).model["digest"] for r in read(stage.direct, stage.sink)}
    assert len(digests) == 2, digests
    stage.say(str(found))


def _put(path: Path, content: bytes) -> None:
    """As models are to be changed: a new file in the old one's place."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)
