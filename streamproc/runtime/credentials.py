"""Rotated secrets while the pipeline runs: seen, tried out aside, and shown from the next connection on."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from streamproc.config import PipelineConfig
from streamproc.connectors.kafka import (
    FIXED,
    Access,
    KafkaSink,
    KafkaSource,
    Renewable,
    fingerprint,
    named,
    try_out,
)
from streamproc.core import Sink, Source


@dataclass(frozen=True, slots=True)
class Renewal:
    """Credentials that the cluster has taken.

    Attributes:
        end: whose they are, ``source`` or ``sink``.
        access: the cluster, with them.
        settings: of its clients.
        fingerprint: tells them from others.
    """

    end: str
    access: Access
    settings: Mapping[str, object]
    fingerprint: str


class Credentials:
    """What the pipeline's clients show at the moment.

    Args:
        config: the pipeline, as it begins.
        source: its source.
        sink: its sink.
    """

    def __init__(self, config: PipelineConfig, source: Source, sink: Sink) -> None:
        self._clients: dict[str, object] = {"source": source, "sink": sink}
        self._shown: dict[str, str] = {}
        for end, access, _ in _ends(config):
            if access.security:
                self._shown[end] = fingerprint(access)

    async def prepare(self, config: PipelineConfig) -> list[Renewal]:
        """Look which credentials have changed, and try those out; with nothing changed no broker is asked.

        Raises:
            ConfigError: a file cannot be read, or the cluster refuses them: the key, and what to do.
            ExternalError: the cluster cannot be reached.
        """
        found = []
        for end, access, topics in _ends(config):
            if not (access.security and isinstance(self._clients[end], Renewable)):
                continue
            now = await asyncio.to_thread(fingerprint, access)
            if now != self._shown.get(end):
                settings = await try_out(access, topics, writes=end == "sink")
                found.append(Renewal(end, access, settings, now))
        return found

    def show(self, renewals: Sequence[Renewal]) -> None:
        """Let the clients show them from their next connections on; those that are open go on."""
        for renewal in renewals:
            client = self._clients[renewal.end]
            if isinstance(client, Renewable):
                client.renew(renewal.access, renewal.settings)
            self._shown[renewal.end] = renewal.fingerprint


def without_secrets(config: PipelineConfig) -> PipelineConfig:
    """The configuration but for the secrets that a reload takes: what is left has to be the same."""
    return _with_secrets(config, None)


def with_secrets_of(config: PipelineConfig, other: PipelineConfig) -> PipelineConfig:
    """A configuration with the secrets that a reload takes from another one."""
    return _with_secrets(config, other)


def _with_secrets(config: PipelineConfig, other: PipelineConfig | None) -> PipelineConfig:
    source, sink = config.source, config.sink
    if isinstance(source, KafkaSource):
        of = other.source if other is not None else None
        security = of.security if isinstance(of, KafkaSource) else _fixed(source.security)
        source = replace(source, security=security)
    if isinstance(sink, KafkaSink):
        to = other.sink if other is not None else None
        security = to.security if isinstance(to, KafkaSink) else _fixed(sink.security)
        sink = replace(sink, security=security)
    token = None if other is None else other.telemetry.metrics.token
    metrics = replace(config.telemetry.metrics, token=token)
    return replace(
        config, source=source, sink=sink, telemetry=replace(config.telemetry, metrics=metrics)
    )


def _fixed(security: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in named(security).items() if name in FIXED}


def _ends(config: PipelineConfig) -> Iterator[tuple[str, Access, Sequence[str]]]:
    if isinstance(config.source, KafkaSource):
        yield "source", Access.of_source(config.source), config.source.topics
    if isinstance(config.sink, KafkaSink):
        yield "sink", Access.of_sink(config.sink, config.source), (config.sink.topic,)
