"""What a user can set of metrics and traces."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from streamproc.core import Duration

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Metrics:
    """The HTTP endpoints ``/metrics``, ``/livez``, ``/readyz`` and ``/api``.

    Attributes:
        listen: ``host:port``; port 0 takes a free one; None turns them off.
        token: what callers must show (``Authorization: Bearer``), such as ``${file:/run/secrets/token}``, at
            least 16 characters; probes of ``/livez`` and ``/readyz`` come without. Required where ``listen`` can be
            reached from other machines, and for every POST.
    """

    listen: str | None = "127.0.0.1:9464"
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.listen is not None:
            host, _, port = self.listen.rpartition(":")
            if not host or not port.isdigit() or int(port) > PORT_MAX:
                msg = f"listen must be host:port, such as 127.0.0.1:9464, was {self.listen!r}"
                raise ValueError(msg)

    @property
    def is_local(self) -> bool:
        """True where only this machine can call."""
        if self.listen is None:
            return True
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host.lower() == "localhost"


TraceCause = Literal["late", "shed", "degraded", "dead_letter", "slowest"]


@dataclass(frozen=True, slots=True)
class Tls:
    """How a collector behind ``https://`` is trusted, and what it trusts us by; paths of PEM files.

    Attributes:
        ca_file: the authorities that its certificate may be from; None takes
            ``OTEL_EXPORTER_OTLP_CERTIFICATE``, else those that the system trusts.
        cert_file: our own certificate, where it asks for one; else ``OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE``.
        key_file: the key of our certificate; else ``OTEL_EXPORTER_OTLP_CLIENT_KEY``.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Traces:
    """Traces of single events, exported by OTLP. What is not said here is taken from ``OTEL_*``.

    Attributes:
        otlp: the collector, such as ``http://localhost:4318``, or ``http://localhost:4317`` for grpc; None
            takes ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_ENDPOINT``, else the local one.
        protocol: how it is spoken to; None takes ``OTEL_EXPORTER_OTLP_PROTOCOL``, else ``http/protobuf``.
        headers: sent with each request, such as an API key; else ``OTEL_EXPORTER_OTLP_HEADERS``.
        tls: certificates, for a collector behind ``https://`` that the system does not trust by itself.
        compression: of what is sent; None takes ``OTEL_EXPORTER_OTLP_COMPRESSION``, else ``none``.
        timeout: of one request; None takes ``OTEL_EXPORTER_OTLP_TIMEOUT`` (in ms), else 5s.
        ratio: the share of the events without a ``traceparent`` that is traced, 0 to 1. An event that comes
            with one is traced where its sender traces it.
        always: what is traced besides, whatever the share: outcomes, at most ten of each a second, and the
            five ``slowest`` of ten seconds.
    """

    otlp: str | None = None
    protocol: Literal["http/protobuf", "grpc"] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Tls = Tls()
    compression: Literal["none", "gzip"] | None = None
    timeout: Duration | None = None
    ratio: float = 0.001
    always: Sequence[TraceCause] = ("late", "shed", "degraded", "dead_letter", "slowest")

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            msg = f"ratio must be within 0 and 1, was {self.ratio}"
            raise ValueError(msg)
        if self.otlp is not None and not self.otlp.startswith(("http://", "https://")):
            msg = f"otlp must be a URL such as http://localhost:4318, was {self.otlp!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Drift:
    """Features against how they were distributed when the model was trained.

    Attributes:
        reference: a file that ``streamproc drift reference`` wrote.
        window: how many events are looked at for one figure; each window begins anew.
        every: one event of so many is looked at.
    """

    reference: str
    window: int = 10_000
    every: int = 10

    def __post_init__(self) -> None:
        if self.window < 1 or self.every < 1:
            msg = f"window and every must be at least 1, were {self.window} and {self.every}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the pipeline tells of itself.

    Attributes:
        metrics: the HTTP endpoints.
        traces: traces of single events; None makes none.
        drift: whether features are distributed as they were; None does not look.
    """

    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces | None = None
    drift: Drift | None = None
