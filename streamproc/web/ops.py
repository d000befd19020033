"""The dashboard, ``/metrics``, ``/livez``, ``/readyz`` and ``/api``, and a server for them inside the pipeline's event loop."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import uvicorn
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from streamproc.core import ExternalError, InvariantError, StreamprocError
from streamproc.telemetry import render
from streamproc.web.dashboard import dashboard
from streamproc.web.guard import HEADERS

CONNECTIONS_MAX: Final = 64
# One scraper, two probes and a person need four; more than 64 are answered with 503.

GRACE_S: Final = 1
STOP_S: Final = 3.0
# uvicorn sleeps 0.1 s, then waits GRACE_S for answers under way; STOP_S is for when it does not keep to that.


Action = Callable[[], Awaitable[Mapping[str, object]]]
"""What a POST does; gives what it answers."""


def ops_app(
    *,
    registry: CollectorRegistry,
    readiness: Callable[[], Mapping[str, bool]],
    status: Callable[[], Mapping[str, object]] | None = None,
    actions: Mapping[str, Action] = MappingProxyType({}),
) -> Starlette:
    """The endpoints; who may call them is the ``Guard``'s to say.

    Args:
        registry: what ``/metrics`` shows.
        readiness: what must be there before traffic makes sense, such as ``assignment``, ``model``
            and ``broker``, and whether it is; ready is when all are.
        status: what ``/api/status`` shows, and the dashboard at ``/``; None for no such paths.
        actions: what ``POST /api/NAME`` does, by name.
    """

    async def metrics(request: Request) -> Response:
        # On the loop on purpose: the accounts belong to its thread. 1.3 ms a scrape as text, 2.9 as OpenMetrics.
        body, content_type = render(registry, request.headers.get("accept", ""))
        return Response(body, headers={**HEADERS, "Content-Type": content_type})

    async def livez(request: Request) -> Response:  # noqa: ARG001 - starlette passes it
        return _json(200, {"live": True})

    async def readyz(request: Request) -> Response:  # noqa: ARG001 - starlette passes it
        waiting_for = [what for what, there in readiness().items() if not there]
        if waiting_for:
            return _json(503, {"ready": False, "waiting_for": waiting_for})
        return _json(200, {"ready": True, "waiting_for": []})

    routes = [
        Route("/metrics", metrics),
        Route("/livez", livez),
        Route("/readyz", readyz),
        *_api(status, actions),
    ]
    paths = [route.path for route in routes]

    async def refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
        if not isinstance(error, HTTPException):
            return _json(500, {"error": "internal error: the log says more"})
        answer = _json(error.status_code, {"error": error.detail, "paths": paths})
        answer.headers.update(error.headers or {})
        return answer

    app = Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: refused})
    app.router.redirect_slashes = False  # a redirect would go out without our headers
    return app


def _api(
    status: Callable[[], Mapping[str, object]] | None, actions: Mapping[str, Action]
) -> Iterator[Route]:
    """``GET /`` and ``/api/status``, and ``POST /api/NAME``."""

    async def show(request: Request) -> Response:  # noqa: ARG001 - starlette passes it
        return _json(200, status() if status is not None else {})

    def acting(action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def act(request: Request) -> Response:  # noqa: ARG001 - starlette passes it
            try:
                return _json(200, await action())
            except StreamprocError as error:
                return _json(409, {"error": str(error)})

        return act

    async def look(request: Request) -> Response:  # noqa: ARG001 - starlette passes it
        page = dashboard()
        headers = {**HEADERS, "Content-Security-Policy": page.policy}
        return Response(page.html, headers=headers, media_type="text/html")

    if status is not None:
        yield Route("/", look)
        yield Route("/api/status", show)
    for name, action in actions.items():
        yield Route(f"/api/{name}", acting(action), methods=["POST"])


def _json(status: int, content: Mapping[str, object]) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers=HEADERS)


class _Server(uvicorn.Server):
    """uvicorn inside a loop that is not its own: it leaves the signals alone and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT are the pipeline's: they drain it."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets=sockets)
        self.serving.set()


class OpsServer:
    """Serves an ASGI app on the running event loop.

    Args:
        app: what it serves.
        host: the name or address to listen on; ``[::1]`` or ``::1`` for IPv6.
        port: 0 takes a free one.
        key: where the address stands in the configuration.
    """

    def __init__(
        self, app: ASGIApp, host: str, port: int, *, key: str = "telemetry.metrics.listen"
    ) -> None:
        self._app = app
        self._key = key
        self._host = host.removeprefix("[").removesuffix("]")
        self._port = port
        self._address = ""
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """``host:port`` as it really listens.

        Raises:
            InvariantError: it was not started.
        """
        if not self._address:
            msg = "the ops server has no address before start()"
            raise InvariantError(msg)
        return self._address

    async def start(self) -> None:
        """Listen and serve; returns when it does.

        Raises:
            ExternalError: the address cannot be listened on: in use, not allowed, not this machine's.
        """
        if self._task is not None:
            msg = "the ops server was started already"
            raise InvariantError(msg)
        listener = await _listen(self._host, self._port, self._key)
        self._address = _join(self._host, listener.getsockname()[1])
        server = _Server(
            uvicorn.Config(
                self._app,
                http="h11",  # what is there everywhere; a scrape every 15 s needs nothing faster
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._server = server
        self._task = asyncio.create_task(server.serve(sockets=[listener]), name="ops-server")
        await _first(self._task, server.serving.wait())

    async def stop(self) -> None:
        """Finish the answers under way and close, within about three seconds; may be called again."""
        server, task = self._server, self._task
        self._server = self._task = None
        if server is None or task is None:
            return
        server.should_exit = True
        done, _ = await asyncio.wait({task}, timeout=STOP_S)
        if not done:
            task.cancel()
        # A client that does not read its answer would hold its connection for ever.
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _first(task: asyncio.Task[None], ready: Awaitable[object]) -> None:
    """Wait until it is ready, or raise what ended the task before it was."""
    waiting = asyncio.ensure_future(ready)
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        await task


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _listen(host: str, port: int, key: str) -> socket.socket:
    """A socket that listens there, bound by ourselves: uvicorn would exit the process at an error."""
    place = _join(host, port)
    advice = f"set {key} to another"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=CONNECTIONS_MAX)
    except (socket.gaierror, UnicodeError) as error:
        msg = f"{host} is no address of this machine: {error}; {advice} host:port"
        raise ExternalError(msg) from error
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            text = f"{place} is in use: another process listens there"
        elif error.errno == errno.EADDRNOTAVAIL:
            text = f"{host} is no address of this machine: {reason}"
        else:
            text = f"cannot listen on {place}: {reason}"
        free = _join(host, 0)
        msg = f"{text}; {advice} port, or {free} for a free one"
        raise ExternalError(msg) from error
