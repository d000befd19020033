"""The real OpenTelemetry Collector, where ``OTELCOL`` names its program, and what it received."""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from typing import TYPE_CHECKING, Self

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from tests.support.processes import Background, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
processors:
  batch: {{timeout: 50ms}}
exporters:
  file: {{path: "{out}", flush_interval: 50ms}}
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [file]}}
"""


def collector_program() -> str | None:
    """The collector's program; None where nobody named one.

    It needs the ``otlp`` receiver, the ``batch`` processor, the ``file`` exporter and the ``health_check`` extension.
    """
    return os.environ.get("OTELCOL")


class OtelCollector:
    """A collector that writes what it receives into a file.

    Args:
        program: its program.
        folder: for its files.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._received = folder / "traces.jsonl"
        grpc, http = free_port(), free_port()
        self._health = free_port()
        self.grpc = f"http://127.0.0.1:{grpc}"
        self.http = f"http://127.0.0.1:{http}"
        self._config = folder / "otelcol.yaml"
        self._config.write_text(
            _CONFIG.format(grpc=grpc, http=http, health=self._health, out=self._received)
        )

    def __enter__(self) -> Self:
        log = self._folder / "otelcol.log"
        self._process = Background([self._program, f"--config={self._config}"], log=log)
        try:
            wait_until("the collector", self._healthy)
        except TimeoutError:
            self._process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def spans(self) -> list[Span]:
        """All that came."""
        return [
            span
            for received in self._lines()
            for of_resource in received.resource_spans
            for scope in of_resource.scope_spans
            for span in scope.spans
        ]

    def _healthy(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/", timeout=1) as answer:
            return bool(answer.status == 200)

    def _lines(self) -> Iterator[TracesData]:
        if not self._received.exists():
            return
        for line in self._received.read_text().splitlines():
            yield json_format.ParseDict(_with_ids(json.loads(line)), TracesData())


def _with_ids(data: dict[str, list]) -> dict[str, list]:
    """OTLP's JSON has ids in hex, where protobuf's JSON has base64."""
    for of_resource in data["resourceSpans"]:
        for scope in of_resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = _base64(span[name])
    return data


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()
