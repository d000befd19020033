"""Logs without secrets: messages, arguments, tracebacks."""

import io
import logging
from collections.abc import Iterator
from functools import partial

import pytest

from streamproc.codecs import JsonCodec
from streamproc.config import hide_in_logs, redact, secrets_of
from streamproc.connectors.kafka import KafkaSource
from streamproc.engine import PythonFunction
from streamproc.telemetry import Metrics, Telemetry
from tests.config.conftest import Read
from tests.engine.pipelines import pipeline

SECRET = "hunter2-hunter2"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What the root logger writes."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    written = io.StringIO()
    root.handlers[:] = [logging.StreamHandler(written)]
    root.setLevel(logging.DEBUG)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def test_no_part_of_a_record_shows_a_secret(stream: io.StringIO) -> None:
    hide_in_logs(partial(redact, secrets=frozenset({SECRET})))
    hide_in_logs(partial(redact, secrets=frozenset({SECRET, "another-one"})))
    log = logging.getLogger("users.code")
    log.debug("with %s and %r", SECRET, {"key": SECRET})
    try:
        raise ValueError(SECRET)  # noqa: TRY301 - it is caught at once
    except ValueError:
        log.exception("it failed for another-one")
    written = stream.getvalue()
    assert "with *** and" in written
    assert "ValueError: ***" in written
    assert SECRET not in written
    assert "another-one" not in written


def test_the_secrets_of_a_file(read: Read, minimal: str) -> None:
    text = (
        minimal + "features: {python: 'm:f', options: {api_key: '${env:S}', list: ['${env:S}2']}}\n"
    )
    config = read(text, environ={"S": SECRET}).config
    assert secrets_of(config) == {SECRET, f"{SECRET}2"}


def test_the_secrets_of_what_was_made_in_python() -> None:
    config = pipeline(
        source=KafkaSource(
            topics=["ticks"],
            security={"sasl_plain_password": SECRET, "sasl_plain_username": "somebody"},
        ),
        codec=JsonCodec(fields={"token": "float32[16]"}),
        features=PythonFunction("m:f", {"plain": "words"}),
        telemetry=Telemetry(metrics=Metrics(token="0123456789abcdef")),
    )
    assert secrets_of(config) == {SECRET, "0123456789abcdef"}
