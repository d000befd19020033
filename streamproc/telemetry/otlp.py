"""Exports journeys by OTLP, on a thread of its own, to a collector that may be dead."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import unquote, urlsplit

import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource

from streamproc.core import NS_PER_S, VERSION, ConfigError, Problem
from streamproc.telemetry.options import Traces
from streamproc.telemetry.spans import SpanMaker
from streamproc.telemetry.traces import Journey

log = logging.getLogger(__name__)

QUEUE_MAX = 4_096
"""Journeys that wait; the oldest are dropped when there are more. About 3 MB."""
REQUEST_MAX = 512
"""Journeys in one request."""
SLICE = 32
"""Journeys made into spans at a time: 0.5 ms in which the event loop may have to wait for the interpreter."""
_PAUSE_S = 0.001
_EVERY_S = 1.0
_BACKOFF_MAX_S = 30.0
CLOSE_S = 2.0
_KEY = "telemetry.traces"
_GRPC_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Transport(Protocol):
    """Takes requests to a collector."""

    def send(self, request: bytes) -> None:
        """Send one, an ``ExportTraceServiceRequest``.

        Raises:
            Exception: it did not arrive.
        """
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class Exporter:
    """Takes journeys at once and exports them in its own time.

    Args:
        maker: makes spans of them.
        transport: takes them to the collector.
        place: where that is, for the log.

    Attributes:
        exported: journeys that the collector has taken.
        dropped: journeys that it has not: the queue was full, or the request failed.
    """

    def __init__(self, maker: SpanMaker, transport: Transport, place: str) -> None:
        self._maker = maker
        self._transport = transport
        self._place = place
        self._waiting: deque[Journey] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._failing = False
        self.exported = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="streamproc-traces", daemon=True)
        self._thread.start()

    def export(self, journey: Journey) -> None:
        """Take a journey; never blocks."""
        if len(self._waiting) >= QUEUE_MAX:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(journey)
        if len(self._waiting) == REQUEST_MAX:
            self._wake.set()

    def close(self) -> None:
        """Export what waits, within two seconds, and end."""
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._transport.close()

    def _run(self) -> None:
        pause_s = _EVERY_S
        while True:
            self._wake.wait(pause_s)
            self._wake.clear()
            closing = self._closing
            while self._waiting:
                sent = self._send_some()
                pause_s = _EVERY_S if sent else min(2 * pause_s, _BACKOFF_MAX_S)
                if not sent:
                    break
            if closing:
                return

    def _send_some(self) -> bool:
        """Send one request; False where it did not arrive."""
        spans: list[bytes] = []
        while len(spans) < REQUEST_MAX and self._waiting:
            some = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
            spans += map(self._maker.spans, some)
            if not self._closing:
                time.sleep(_PAUSE_S)
        count = len(spans)
        try:
            self._transport.send(self._maker.request(spans))
        except Exception as error:  # noqa: BLE001 - whatever the transport raises, traces are only dropped
            self.dropped += count
            if not self._failing:
                log.warning(
                    "traces: %s does not take them: %s; dropped until it does", self._place, error
                )
            self._failing = True
            return False
        if self._failing:
            log.warning("traces: %s takes them again", self._place)
        self._failing = False
        self.exported += count
        return True


class HttpTransport:
    """OTLP over HTTP, as protobuf.

    Args:
        url: where to, with its path.
        headers: sent with each request.
        timeout_s: of one request.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self._url = url
        self._headers = {
            "Content-Type": "application/x-protobuf",
            "User-Agent": f"streamproc/{VERSION}",
            **headers,
        }
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=1, retries=False, timeout=urllib3.Timeout(timeout_s)
        )

    def send(self, request: bytes) -> None:
        """Send one; see ``Transport``."""
        answer = self._pool.request("POST", self._url, body=request, headers=self._headers)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            msg = f"it answered {answer.status} {answer.reason}"
            raise OSError(msg)

    def close(self) -> None:
        """Disconnect."""
        self._pool.clear()


class GrpcTransport:
    """OTLP over gRPC.

    Args:
        url: ``http://host:port``, or ``https://`` for TLS.
        headers: sent with each request.
        timeout_s: of one request.

    Raises:
        ConfigError: grpcio is not installed.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        try:
            import grpc  # noqa: PLC0415 - an extra
        except ImportError as error:
            text = (
                "grpc needs grpcio: pip install 'streamproc[grpc]', or use protocol: http/protobuf"
            )
            raise ConfigError(Problem(text, f"{_KEY}.protocol")) from error
        parts = urlsplit(url)
        if parts.scheme == "https":
            self._channel = grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials())
        else:
            self._channel = grpc.insecure_channel(parts.netloc)
        self._call = self._channel.unary_unary(  # not the generated stub, which takes a message
            _GRPC_METHOD, response_deserializer=ExportTraceServiceResponse.FromString
        )
        self._metadata = [(name.lower(), value) for name, value in headers.items()]
        self._timeout_s = timeout_s
        self._error: type[Exception] = grpc.RpcError

    def send(self, request: bytes) -> None:
        """Send one; see ``Transport``."""
        try:
            self._call(request, timeout=self._timeout_s, metadata=self._metadata)
        except self._error as error:
            code, details = error.code(), error.details()  # type: ignore[attr-defined]
            msg = f"{code.name}: {details}"
            raise OSError(msg) from None

    def close(self) -> None:
        """Disconnect."""
        self._channel.close()


def make_exporter(
    options: Traces,
    *,
    pipeline: str,
    group: str,
    model: str,
    environ: Mapping[str, str] = os.environ,
) -> Exporter | None:
    """The exporter of a pipeline's traces; None where ``OTEL_SDK_DISABLED`` says so.

    Args:
        options: what the user set.
        pipeline: the pipeline's name; the ``service.name`` where ``OTEL_SERVICE_NAME`` says none.
        group: its consumer group.
        model: the model's variant and digest.
        environ: the environment.

    Raises:
        ConfigError: the protocol is not known or its package is missing.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    protocol = options.protocol or _variable(environ, "PROTOCOL") or "http/protobuf"
    transports: dict[str, Callable[[str, Mapping[str, str], float], Transport]] = {
        "http/protobuf": HttpTransport,
        "grpc": GrpcTransport,
    }
    if protocol not in transports:
        text = f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: there are {' and '.join(transports)}"
        raise ConfigError(Problem(text, f"{_KEY}.protocol"))
    url = _endpoint(options, protocol, environ)
    headers = dict(options.headers) or _headers(_variable(environ, "HEADERS") or "")
    resource = Resource.create().attributes
    if str(resource.get("service.name", "")).startswith("unknown_service"):
        resource = {**resource, "service.name": pipeline}
    maker = SpanMaker(resource, pipeline=pipeline, group=group, model=model)
    transport = transports[protocol](url, headers, int(options.timeout) / NS_PER_S)
    return Exporter(maker, transport, url)


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    """A variable of the OTLP exporter, that for traces first."""
    return environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(
        f"OTEL_EXPORTER_OTLP_{name}"
    )


def _endpoint(options: Traces, protocol: str, environ: Mapping[str, str]) -> str:
    """Where to send to; over HTTP a base URL is given the signal's path."""
    whole = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if options.otlp is None and whole:
        return whole
    port = 4317 if protocol == "grpc" else 4318
    base = options.otlp or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or f"http://localhost:{port}"
    if protocol == "grpc" or urlsplit(base).path.endswith("/v1/traces"):
        return base
    return f"{base.rstrip('/')}/v1/traces"


def _headers(text: str) -> dict[str, str]:
    """``name=value,name=value`` with percent-encoded values, as the specification has it."""
    pairs = (item.partition("=") for item in text.split(",") if "=" in item)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}
