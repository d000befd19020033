"""An OTLP receiver inside the test's process: both protocols on real sockets, spans kept in memory."""

import gzip
import http.server
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import wait_until


class OtlpReceiver:
    """Receives what is exported to it.

    Args:
        tls: its certificate and key, PEM files; None speaks in the clear.

    Attributes:
        requests: what came of traces and was taken.
        metrics: what came of metrics.
        headers: of each of them, with lower-case names.
        refuse: refuses so many requests.
        refusal: how it does: HTTP's status and gRPC's code.
        rejected: says so many spans of each request that it takes to be unwanted.
        attempts: requests that came, whatever became of them.
        open: requests wait until it is set.
    """

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self._tls = tls
        self.requests: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.refuse = 0
        self.refusal = (503, grpc.StatusCode.UNAVAILABLE)
        self.rejected = 0
        self.attempts = 0
        self.open = threading.Event()
        self.open.set()

    def __enter__(self) -> Self:
        receiver = self

        class Service(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
                metadata = {name: str(value) for name, value in context.invocation_metadata()}
                if not receiver._take(request, metadata):
                    context.abort(receiver.refusal[1], "asked to refuse")
                return receiver._answer()

        class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
                receiver.metrics.append(request)
                return ExportMetricsServiceResponse()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                named = {name.lower(): value for name, value in self.headers.items()}
                if self.path == "/v1/metrics":
                    receiver.metrics.append(ExportMetricsServiceRequest.FromString(body))
                    self.send_response(200)
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
                right = self.path == "/v1/traces"
                taken = right and receiver._take(ExportTraceServiceRequest.FromString(body), named)
                answer = receiver._answer().SerializeToString() if taken else b""
                self.send_response(200 if taken else receiver.refusal[0] if right else 404)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self._threads = ThreadPoolExecutor(2)
        self._grpc = grpc.server(self._threads)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), self._grpc)  # type: ignore[no-untyped-call]
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), self._grpc)  # type: ignore[no-untyped-call]
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self._tls is None:
            port, scheme = self._grpc.add_insecure_port("127.0.0.1:0"), "http"
        else:
            certificate, key = self._tls
            pair = (key.read_bytes(), certificate.read_bytes())
            credentials = grpc.ssl_server_credentials([pair])
            port, scheme = self._grpc.add_secure_port("127.0.0.1:0", credentials), "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._grpc.start()
        self.grpc = f"{scheme}://127.0.0.1:{port}"
        self.http = f"{scheme}://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._grpc.stop(None).wait()
        self._threads.shutdown()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _take(self, request: ExportTraceServiceRequest, headers: dict[str, str]) -> bool:
        self.attempts += 1
        self.open.wait(30)
        if self.refuse:
            self.refuse -= 1
            return False
        self.headers.append(headers)
        self.requests.append(request)
        return True

    def _answer(self) -> ExportTraceServiceResponse:
        answer = ExportTraceServiceResponse()
        if self.rejected:
            answer.partial_success.rejected_spans = self.rejected
            answer.partial_success.error_message = "too old"
        return answer

    def spans(self) -> list[Span]:
        """All that came."""
        return [
            span
            for request in list(self.requests)
            for of_resource in request.resource_spans
            for scope in of_resource.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, count: int) -> list[Span]:
        """So many spans, waited for."""
        wait_until(f"{count} spans", lambda: len(self.spans()) >= count)
        return self.spans()


def attributes(span: Span) -> dict[str, Any]:
    """A span's attributes by name."""
    return {
        item.key: getattr(item.value, str(item.value.WhichOneof("value")))
        for item in span.attributes
    }
