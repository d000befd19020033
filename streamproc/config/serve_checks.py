"""What no single key shows of the front door: who may reach it, and what cannot hold its requests."""

from collections.abc import Iterator
from typing import Any

from streamproc.config.security_checks import TOKEN_LENGTH_MIN
from streamproc.config.tree import Finding
from streamproc.connectors.capture import Record
from streamproc.executors import Rollout
from streamproc.telemetry import Metrics
from streamproc.web import Serve


def _token(serve: Serve | None) -> Iterator[Finding]:
    if serve is None:
        return
    if serve.token is None:
        if not Metrics(listen=serve.listen).is_local:
            message = (
                f"is missing: {serve.listen} can be reached from other machines; make one with "
                "`openssl rand -hex 32` and write ${file:PATH} or ${env:NAME}, or listen on 127.0.0.1"
            )
            yield ("serve", "token"), message
    elif len(serve.token) < TOKEN_LENGTH_MIN or not serve.token.isascii():
        message = f"must have at least {TOKEN_LENGTH_MIN} characters of ASCII: make one with `openssl rand -hex 32`"
        yield ("serve", "token"), message


def _recording(serve: Serve | None, record: Record | None) -> Iterator[Finding]:
    if serve is not None and record is not None:
        message = (
            "a recording does not hold requests, and could not be played again exactly: remove serve, or record, "
            "or give requests a pipeline of their own"
        )
        yield ("serve",), message


def _rollout(serve: Serve | None, rollout: Rollout | None) -> Iterator[Finding]:
    if serve is not None and rollout is not None:
        yield (
            ("serve",),
            "requests have no key that says which model of a rollout decides: remove serve, or rollout",
        )


SERVE_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_token, ("serve",)),
    (_recording, ("serve", "record")),
    (_rollout, ("serve", "rollout")),
)
"""As those of ``checks``: each check and the parts that it takes."""
