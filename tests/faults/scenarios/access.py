"""Rights are taken away while a pipeline works."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.faults.scenario import scenario
from tests.support.kafka import allowed_all, denied

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.stage import Stage, Worker

TRIES = 5


def _denied(stage: Stage, operation: str, topic: str) -> None:
    """A user loses a right on a topic, and gets it back."""
    with ExitStack() as rights:
        rights.enter_context(allowed_all(stage.direct, stage.cluster.user))
        config = stage.config(source={"kafka": _as_user(stage)})
        stage.load()
        worker = _works(stage, config)
        with denied(stage.direct, stage.cluster.user, operation, topic):
            assert worker.process.wait(90) == 2, worker.log_tail()
            last = worker.log_tail().splitlines()[-1]
            assert f"the broker denies {operation} on topic {topic}" in last, worker.log_tail()
            for noise in ("Traceback", "never retrieved"):
                assert noise not in worker.log_tail(20_000), worker.log_tail()
        _works(stage, config)
        stage.say(str(stage.finish()))


def _works(stage: Stage, config: Path) -> Worker:
    """Start a process that decides: brokers learn of a right one after the other, and the first try may be too early."""
    for _ in range(TRIES):
        worker = stage.start(config)
        try:
            stage.flows()
        except AssertionError:
            assert worker.process.returncode == 2, worker.log_tail()
        else:
            return worker
    msg = f"no process works after {TRIES} tries"
    raise AssertionError(msg)


def _as_user(stage: Stage) -> dict[str, Any]:
    return {
        "bootstrap_servers": stage.cluster.for_user,
        "security": {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": stage.cluster.user,
            "sasl_plain_password": stage.cluster.password,
        },
    }


@scenario(
    "an ACL takes away the right to write the decisions",
    "the process ends with a line that names right and topic, exit 2; with the right back, the next loses nothing",
)
def write_denied(stage: Stage) -> None:
    _denied(stage, "WRITE", stage.sink)


@scenario(
    "an ACL takes away the right to read the events",
    "the process ends with a line that names right and topic, exit 2; with the right back, the next loses nothing",
)
def read_denied(stage: Stage) -> None:
    _denied(stage, "READ", stage.source)
