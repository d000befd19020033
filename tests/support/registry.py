"""A schema registry: the endpoints that a client asks, over HTTP, as Confluent's answers them."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from typing_extensions import override


@dataclass
class Registered:
    """One schema: what is answered for it."""

    schema: str
    kind: str = "AVRO"
    references: Sequence[tuple[str, str, int]] = ()

    def answer(self) -> dict[str, Any]:
        """As the registry says it."""
        said: dict[str, Any] = {"schema": self.schema}
        if self.kind != "AVRO":
            said["schemaType"] = self.kind
        if self.references:
            names = ("name", "subject", "version")
            said["references"] = [dict(zip(names, one, strict=True)) for one in self.references]
        return said


@dataclass
class RegistryServer:
    """What it knows, and what it was asked.

    Attributes:
        by_id: schemas by id.
        by_subject: schemas by subject and version.
        status: what it answers to everything, where it is not 200.
        authorization: the header that it wants; None for any.
        registered: ids by subject and schema, of what was posted.
        asked: the paths that were asked for.
        url: where it is.
    """

    by_id: dict[int, Registered] = field(default_factory=dict)
    by_subject: dict[tuple[str, int], Registered] = field(default_factory=dict)
    status: int = 200
    authorization: str | None = None
    registered: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:  # noqa: PLR0911 - one for each
        """The status and the body."""
        self.asked.append(path)
        if self.status != 200:
            return self.status, {"error_code": 50001, "message": "away"}
        if self.authorization not in (None, authorization):
            return 401, {"error_code": 401, "message": "Unauthorized"}
        match urlsplit(path).path.strip("/").split("/"):
            case ["schemas", "ids", number] if int(number) in self.by_id:
                return 200, self.by_id[int(number)].answer()
            case ["schemas", "ids", _]:
                return 404, {"error_code": 40403, "message": "Schema not found"}
            case ["subjects", subject, "versions", version]:
                found = self.by_subject.get((subject, int(version)))
                if found is not None:
                    return 200, found.answer()
                return 404, {"error_code": 40401, "message": "Subject not found"}
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def post(
        self, path: str, said: dict[str, Any], authorization: str | None
    ) -> tuple[int, dict[str, Any]]:
        """The same for a schema that is put into a subject, or looked for in one."""
        self.asked.append(path)
        if self.status != 200:
            return self.status, {"error_code": self.status, "message": "not like this"}
        if self.authorization not in (None, authorization):
            return 401, {"error_code": 401, "message": "Unauthorized"}
        _, subject, *versions = path.strip("/").split("/")
        key = (subject, said["schema"])
        if versions and key not in self.registered:
            self.registered[key] = number = 100 + len(self.by_id)
            self.by_id[number] = Registered(said["schema"], said.get("schemaType", "AVRO"))
        if key in self.registered:
            return 200, {"id": self.registered[key]}
        if any(subject == other for other, _ in self.registered):
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 404, {"error_code": 40401, "message": "Subject not found"}

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serves while the context lasts, on 127.0.0.1."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler_of(registry: RegistryServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*registry.answer(self.path, self.headers.get("authorization")))

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._send(*registry.post(self.path, said, self.headers.get("authorization")))

        def _send(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/vnd.schemaregistry.v1+json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: tests are quiet."""

    return Handler
