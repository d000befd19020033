"""TLS, SASL and the HTTP endpoints: settings that do not go together, files that are not there."""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from streamproc.config.ends import Sink, Source
from streamproc.config.secrets import REGISTRIES, Secret
from streamproc.config.tree import Finding, Node, Path
from streamproc.connectors.kafka import KafkaSink, KafkaSource, named, security_problems
from streamproc.core import Problem
from streamproc.telemetry import Telemetry

TOKEN_LENGTH_MIN = 16
"""Fewer could be guessed."""

CLIENTS: tuple[Path, ...] = (("source", "kafka"), ("sink", "kafka"), *REGISTRIES)
FILES = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "sasl_oauthbearer_token_file")
"""Settings that are files; relative ones start from the configuration's folder."""


def resolve_files(root: Node, folder: FilePath, problems: list[Problem]) -> None:
    """Make the files of TLS and SASL start from the configuration's folder, and see that they are there.

    Args:
        root: the tree, changed.
        folder: the configuration's.
        problems: takes what is missing.
    """
    for client in CLIENTS:
        for name, node in root.mapping((*client, "security")).items():
            if name not in FILES or not isinstance(node.value, str):
                continue
            file = folder / node.value
            node.value = Secret(file) if isinstance(node.value, Secret) else str(file)
            if not is_there(file):
                message = f"there is no file {node.value!r}; relative paths start from the configuration's folder"
                problems.append(root.problem((*client, "security", name), message))


def is_there(file: FilePath) -> bool:
    """Whether there is such a file."""
    try:
        return file.is_file()
    except OSError:  # such as a name that is too long
        return False


def _source(source: Source) -> Iterator[Finding]:
    if isinstance(source, KafkaSource):
        yield from _client(source.security, ("source", "kafka", "security"))


def _sink(sink: Sink) -> Iterator[Finding]:
    if isinstance(sink, KafkaSink):
        yield from _client(sink.security, ("sink", "kafka", "security"))


def _client(security: Mapping[str, str], path: Path) -> Iterator[Finding]:
    if security:
        for name, message in security_problems(named(security)):
            yield (*path, name), message


def _headers(sink: Sink) -> Iterator[Finding]:
    for place, name in enumerate(sink.headers if isinstance(sink, KafkaSink) else ()):
        if name.startswith("streamproc-"):
            yield (
                ("sink", "kafka", "headers", place),
                f"{name!r} is a header of ours: an event's would pass for it",
            )


def _endpoints(telemetry: Telemetry) -> Iterator[Finding]:
    metrics, path = telemetry.metrics, ("telemetry", "metrics", "token")
    if metrics.token is None:
        if not metrics.is_local:
            message = (
                f"is missing: {metrics.listen} can be reached from other machines; make one with "
                "`openssl rand -hex 32` and write ${file:PATH} or ${env:NAME}, or listen on 127.0.0.1"
            )
            yield path, message
    elif len(metrics.token) < TOKEN_LENGTH_MIN or not metrics.token.isascii():
        message = f"must have at least {TOKEN_LENGTH_MIN} characters of ASCII: make one with `openssl rand -hex 32`"
        yield path, message


SECURITY_CHECKS = (
    (_source, ("source",)),
    (_sink, ("sink",)),
    (_headers, ("sink",)),
    (_endpoints, ("telemetry",)),
)
"""Each check and the parts that it takes."""
