"""A web server that takes alerts, as Alertmanager's webhooks bring them."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Hook:
    """What came, and what is answered."""

    url: str = ""
    status: int = 200
    messages: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def alerts(self, status: str) -> list[dict[str, Any]]:
        """All alerts that came with this status."""
        return [a for m in list(self.messages) for a in m["alerts"] if a["status"] == status]


@contextmanager
def hook() -> Iterator[Hook]:
    """A server on a free port of loopback."""
    taken = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if taken.status == 200:
                taken.messages.append(body)
                taken.headers.append(dict(self.headers.items()))
            self.send_response(taken.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    taken.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    try:
        yield taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
