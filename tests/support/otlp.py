"""An OTLP receiver inside the test's process: both protocols on real sockets, spans kept in memory."""

import gzip
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import wait_until


class OtlpReceiver:
    """Receives what is exported to it.

    Attributes:
        requests: what came.
        headers: of each request, with lower-case names.
        refuse: answers so many requests with 503 or UNAVAILABLE.
    """

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.refuse = 0

    def __enter__(self) -> Self:
        receiver = self

        class Service(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
                metadata = {name: str(value) for name, value in context.invocation_metadata()}
                if not receiver._take(request, metadata):
                    context.abort(grpc.StatusCode.UNAVAILABLE, "asked to refuse")
                return ExportTraceServiceResponse()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                named = {name.lower(): value for name, value in self.headers.items()}
                right = self.path == "/v1/traces"
                taken = right and receiver._take(ExportTraceServiceRequest.FromString(body), named)
                self.send_response(200 if taken else 503)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._threads = ThreadPoolExecutor(2)
        self._grpc = grpc.server(self._threads)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), self._grpc)  # type: ignore[no-untyped-call]
        self.grpc = f"http://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._grpc.stop(None).wait()
        self._threads.shutdown()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _take(self, request: ExportTraceServiceRequest, headers: dict[str, str]) -> bool:
        if self.refuse:
            self.refuse -= 1
            return False
        self.headers.append(headers)
        self.requests.append(request)
        return True

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
