"""The two ways to a collector: OTLP over HTTP and over gRPC."""

import gzip
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import urllib3
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from streamproc.core import VERSION, ConfigError, Problem

_Answer = TypeVar("_Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class Signal(Generic[_Answer]):
    """What is exported: traces or metrics.

    Attributes:
        name: of it, as OTLP's paths and variables have it.
        key: where its settings are.
        switch: the variable that turns it off, being ``none``.
        method: of gRPC.
        answer: what a collector says.
    """

    name: str
    key: str
    switch: str
    method: str
    answer: type[_Answer]


TRACES = Signal(
    "traces",
    "telemetry.traces",
    "OTEL_TRACES_EXPORTER",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ExportTraceServiceResponse,
)
METRICS = Signal(
    "metrics",
    "telemetry.metrics.otlp",
    "OTEL_METRICS_EXPORTER",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ExportMetricsServiceResponse,
)
_AGENT = f"streamproc/{VERSION}"
_PASSING_STATUS = frozenset((429, 502, 503, 504))
_PASSING_CODES = frozenset(
    ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS")
)
"""What OTLP's specification says to try again after."""
_RECONNECT_MAX_MS = 5_000
"""By itself gRPC waits up to two minutes, and a collector that is back would go unnoticed for so long."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Where a collector is and how it is spoken to.

    Attributes:
        url: with its path over HTTP; the host and port count over gRPC.
        secure: whether TLS is spoken.
        headers: sent with each request, names in lower case.
        ca_file: the authorities that are trusted; None takes the system's.
        cert_file: our certificate.
        key_file: its key.
        compressed: whether requests are gzipped.
        timeout_s: of one request.
    """

    url: str
    secure: bool
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    compressed: bool = False
    timeout_s: float = 5.0


class NotTakenError(OSError):
    """The collector did not take a request.

    Attributes:
        passing: True where the same request may be taken later.
    """

    def __init__(self, text: str, *, passing: bool) -> None:
        super().__init__(text)
        self.passing = passing


_Answer_co = TypeVar("_Answer_co", bound=Message, covariant=True)


class Transport(Protocol[_Answer_co]):
    """Takes requests to a collector."""

    def send(self, request: bytes) -> _Answer_co:
        """Send one, an ``Export...ServiceRequest`` of the signal.

        Raises:
            NotTakenError: it did not arrive, or was not wanted.
        """
        ...

    def close(self) -> None:
        """Disconnect; a request that is under way may be given up."""
        ...


class HttpTransport(Generic[_Answer]):
    """OTLP over HTTP, as protobuf.

    Args:
        collector: where to.
        signal: what is sent.

    Raises:
        OSError: a certificate cannot be read.
    """

    def __init__(self, collector: Collector, signal: Signal[_Answer]) -> None:
        self._answer = signal.answer
        self._url = collector.url
        self._compressed = collector.compressed
        self._headers = {
            "content-type": "application/x-protobuf",
            "user-agent": _AGENT,
            **({"content-encoding": "gzip"} if collector.compressed else {}),
            **collector.headers,
        }
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(collector.timeout_s),
            ssl_context=_tls(collector) if collector.secure else None,
        )

    def send(self, request: bytes) -> _Answer:
        """Send one; see ``Transport``."""
        body = gzip.compress(request, compresslevel=1) if self._compressed else request
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=self._headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NotTakenError(str(error), passing=True) from error
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            text = f"it answered {answer.status} {answer.reason or ''}".rstrip()
            raise NotTakenError(text, passing=answer.status in _PASSING_STATUS)
        try:
            return self._answer.FromString(answer.data)
        except DecodeError:  # it took them, and says so in a form of its own
            return self._answer()

    def close(self) -> None:
        """Disconnect."""
        self._pool.clear()


def _tls(collector: Collector) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=collector.ca_file)
    if collector.cert_file is not None:
        context.load_cert_chain(collector.cert_file, collector.key_file)
    return context


class GrpcTransport(Generic[_Answer]):
    """OTLP over gRPC.

    Args:
        collector: where to.
        signal: what is sent.

    Raises:
        ConfigError: grpcio is not installed.
        OSError: a certificate cannot be read.
    """

    def __init__(self, collector: Collector, signal: Signal[_Answer]) -> None:
        try:
            import grpc  # noqa: PLC0415 - an extra
        except ImportError as error:
            text = (
                "grpc needs grpcio: pip install 'streamproc[grpc]', or use protocol: http/protobuf"
            )
            raise ConfigError(Problem(text, f"{signal.key}.protocol")) from error
        place = urlsplit(collector.url).netloc or collector.url
        options = {
            "compression": grpc.Compression.Gzip
            if collector.compressed
            else grpc.Compression.NoCompression,
            "options": [
                ("grpc.primary_user_agent", _AGENT),
                ("grpc.max_reconnect_backoff_ms", _RECONNECT_MAX_MS),
            ],
        }
        if collector.secure:
            files = (collector.ca_file, collector.key_file, collector.cert_file)
            read = [None if name is None else Path(name).read_bytes() for name in files]
            credentials = grpc.ssl_channel_credentials(*read)
            self._channel = grpc.secure_channel(place, credentials, **options)
        else:
            self._channel = grpc.insecure_channel(place, **options)
        self._call = self._channel.unary_unary(  # not the generated stub, which takes a message
            signal.method, response_deserializer=signal.answer.FromString
        )
        self._metadata = list(collector.headers.items())
        self._timeout_s = collector.timeout_s
        self._error: type[Exception] = grpc.RpcError

    def send(self, request: bytes) -> _Answer:
        """Send one; see ``Transport``."""
        try:
            answer: _Answer = self._call(request, timeout=self._timeout_s, metadata=self._metadata)
        except self._error as error:
            name, details = error.code().name, error.details()  # type: ignore[attr-defined]
            text = f"{name}: {details}"
            raise NotTakenError(text, passing=name in _PASSING_CODES) from None
        return answer

    def close(self) -> None:
        """Disconnect, and give up what is under way."""
        self._channel.close()
