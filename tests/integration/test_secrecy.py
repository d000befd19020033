"""Secrets and payloads are planted everywhere; then everything that people and machines look at is searched for them."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.support import streamproc
from tests.integration.pipelines import Command, headers, set_up
from tests.support import free_port, wait_until
from tests.support.kafka import Message, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

PAYLOAD = "planted-payload-7f3a"
TOKEN = "planted-token-0123456789"
API_KEY = "planted-api-key-42"
SECRETS = (TOKEN, API_KEY)

MODULE = f'''
"""A user's code, which puts what it was given into its messages."""
import logging

import numpy as np


def build(batch, api_key):
    if ((batch["ts"] == 0) | (batch["ts"] == 13)).any():
        raise ValueError(f"https://api.test/?key={{api_key}} refuses {{batch.value.tolist()}} {{batch!r}}")
    return batch["features"]


def predict(inputs):
    (features,) = inputs.values()
    if (features[:, 0] == 99).any():
        logging.getLogger("users.code").error("with {API_KEY}", exc_info=ValueError("{API_KEY}"))
        raise RuntimeError("{PAYLOAD} is too much, and so is {API_KEY}")
    return features[:, :3]


def decide(batch, outputs):
    if (batch["ts"] == 17).any():
        raise KeyError(str(batch.key.tolist()) + str(batch.headers))
    return [{{"n": n}} for n in batch["ts"].tolist()]
'''


def event(ts: object, first: float = 0.5) -> bytes:
    return json.dumps({"ts": ts, "features": [first] * 16, "note": PAYLOAD}).encode()


VALUES: list[bytes | None] = [
    *(event(ts) for ts in range(1, 40)),
    event(41, first=99),
    event(PAYLOAD),
    f'{{"ts": {PAYLOAD}'.encode(),
    PAYLOAD.encode(),
    json.dumps({PAYLOAD: 1}).encode(),
    None,
]
KEY = f"{PAYLOAD}-key".encode()
HEADERS = (("mine", f"{PAYLOAD}-header".encode()), ("x-deadline-ns", PAYLOAD.encode()))


def ask(port: int, path: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        body: bytes = answer.read()
        return body.decode() + str(answer.headers)


@pytest.fixture
def planted(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, int]:
    """A pipeline with secrets in its configuration, its topics filled; and the port of its endpoints."""
    (tmp_path / "planted_code.py").write_text(MODULE)
    (tmp_path / "api_key").write_text(API_KEY)
    monkeypatch.setenv("PLANTED_TOKEN", TOKEN)
    port = free_port()
    features = {"python": "planted_code:build", "options": {"api_key": "${file:api_key}"}}
    made = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        features=features,
        model={"path": None, "executor": {"python": {"callable": "planted_code:predict"}}},
        batching={"max_size": 4},
        output={"python": "planted_code:decide"},
        telemetry={"metrics": {"listen": f"127.0.0.1:{port}", "token": "${env:PLANTED_TOKEN}"}},
    )
    fill(
        kafka.bootstrap,
        made.source,
        [Message(v, KEY, HEADERS, n % 2) for n, v in enumerate(VALUES)],
    )
    return made, port


def assert_clean(texts: dict[str, str], *unwanted: str) -> None:
    for where, text in texts.items():
        assert text, f"{where} is empty: nothing was looked at"
        for word in unwanted:
            assert word not in text, f"{where} shows {word}"


@pytest.mark.parametrize(("workers", "end"), [(1, "TERM"), (2, "TERM"), (1, "ABRT")])
def test_nothing_shows_a_secret_or_a_payload(
    kafka: KafkaBroker, planted: tuple[Any, int], tmp_path: Path, workers: int, end: str
) -> None:
    made, port = planted
    report = tmp_path / "report.html"
    words = ("--workers", str(workers), "--log-level", "debug", "--report", str(report))
    command = Command(made.config, *words)
    try:
        letters = wait_until(
            "all records' outcomes",
            lambda: _all_done(kafka, made),
            timeout_s=120,
            every_s=0.3,
        )
        wait_until("readiness", lambda: ask(port, "/readyz"), timeout_s=120)
        answers = {path: ask(port, path) for path in ("/metrics", "/api/status", "/readyz")}
        os.kill(command.pid, getattr(signal, f"SIG{end}"))
        code = command.process.wait(60)
    finally:
        command.kill()
    log = command.log_tail(1 << 24)
    assert code == (0 if end == "TERM" else -signal.SIGABRT), log
    shown = {**answers, "the log": log}
    if end == "TERM":
        shown["the summary"] = json.dumps(command.answer())
        shown["the report"] = report.read_text()
    else:
        assert "Fatal Python error: Aborted" in log
    assert_clean(shown, PAYLOAD, *SECRETS)
    assert "with ***" in log  # the user's own words are there, without the secret

    found = [headers(letter) for letter in letters]
    reasons = {(one["streamproc-reason"] or b"").decode() for one in found}
    assert {
        "features_failed",
        "model_failed",
        "decide_failed",
        "wrong_type",
        "undecodable",
    } <= reasons
    details = {str(n): (one["streamproc-detail"] or b"").decode() for n, one in enumerate(found)}
    assert_clean({"the reasons": " ".join(reasons)}, PAYLOAD, *SECRETS)
    assert_clean(details, *SECRETS)
    assert any("***" in detail for detail in details.values())


def _all_done(kafka: KafkaBroker, made: Any) -> list[Any] | None:
    try:
        letters = read(kafka.bootstrap, f"{made.source}.dlq")
    except Exception:  # noqa: BLE001 - the topic is not made yet
        return None
    decided = read(kafka.bootstrap, made.sink)
    return letters if len(letters) + len(decided) >= len(VALUES) else None


def test_check_and_its_warnings(planted: tuple[Any, int], tmp_path: Path) -> None:
    made, _ = planted
    answer = streamproc("check", str(made.config), "--json", "--log-level", "debug", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert (
        "became dead letters: ValueError" in answer.out
    )  # the user's exception, told without its secret
    assert_clean({"stdout": answer.out, "stderr": answer.err}, *SECRETS)


def test_an_unexpected_failure_with_its_traceback(planted: tuple[Any, int], tmp_path: Path) -> None:
    made, _ = planted
    words = ("--set", f"features.options={{api_key: '{API_KEY}', more: '${{file:api_key}}'}}")
    answer = streamproc("check", str(made.config), *words, "--traceback", cwd=tmp_path)
    assert_clean({"stdout and stderr": answer.out + answer.err}, *SECRETS)
