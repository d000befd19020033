"""The front door: requests of the Open Inference Protocol, version 2, over HTTP.

``GET /v2``, ``/v2/health/live``, ``/v2/health/ready``, ``/v2/models/NAME``, ``/v2/models/NAME/ready``, and ``POST
/v2/models/NAME/infer``, with the extension ``binary_tensor_data``.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streamproc.core import VERSION, Columns, TensorSpec
from streamproc.web.inference import (
    BINARY,
    BadRequestError,
    Reply,
    answer,
    description,
    json_response,
    parse,
)

_PATHS: Final = (
    "there are GET /v2, /v2/health/live, /v2/health/ready, /v2/models/NAME, /v2/models/NAME/ready, "
    "and POST /v2/models/NAME/infer"
)


class Served(Protocol):
    """The model behind the door."""

    @property
    def name(self) -> str:
        """Its name in paths."""
        ...

    @property
    def limits(self) -> tuple[int, int]:
        """The most rows and bytes of one request."""
        ...

    def tensors(self) -> tuple[Sequence[TensorSpec], Sequence[TensorSpec]]:
        """What it takes and gives; empty where it does not say."""
        ...

    def ready(self) -> bool:
        """Whether it answers."""
        ...

    async def infer(
        self, inputs: Columns, *, deadline_ns: int | None, timeout_ns: int | None
    ) -> Reply:
        """The answer to inputs by name, each [rows, ...].

        Raises:
            BadRequestError: they are not what it takes.
        """
        ...


def front_door_app(served: Served) -> Starlette:
    """The endpoints; who may call them is the ``Guard``'s to say."""
    door = _Endpoints(served)
    app = Starlette(
        routes=[
            Route("/v2", door.server),
            Route("/v2/health/live", door.live),
            Route("/v2/health/ready", door.ready),
            Route("/v2/models/{name}", door.model),
            Route("/v2/models/{name}/ready", door.model_ready),
            Route("/v2/models/{name}/infer", door.infer, methods=["POST"]),
            Route("/v2/models/{name}/versions/{rest:path}", door.version, methods=["GET", "POST"]),
        ],
        exception_handlers={HTTPException: _refused, Exception: _refused},
    )
    app.router.redirect_slashes = False  # a redirect would go out without our headers
    return app


class _Endpoints:
    def __init__(self, served: Served) -> None:
        self._served = served

    async def server(self, request: Request) -> Response:  # noqa: ARG002 - starlette passes it
        content = {"name": "streamproc", "version": VERSION, "extensions": [BINARY]}
        return json_response(200, content)

    async def live(self, request: Request) -> Response:  # noqa: ARG002 - starlette passes it
        return json_response(200, {"live": True})

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - starlette passes it
        ready = self._served.ready()
        return json_response(200 if ready else 503, {"ready": ready})

    async def model_ready(self, request: Request) -> Response:
        self._require_model(request)
        return await self.ready(request)

    async def model(self, request: Request) -> Response:
        self._require_model(request)
        return json_response(200, description(self._served.name, *self._served.tensors()))

    async def version(self, request: Request) -> Response:
        self._require_model(request)
        msg = "the pipeline's model has no versions in the path: leave /versions/... out"
        raise HTTPException(404, msg)

    async def infer(self, request: Request) -> Response:
        self._require_model(request)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(415, "a request is taken as it is: without Content-Encoding")
        served = self._served
        if not served.ready():
            content = {"error": "the pipeline is not ready", "reason": "not_ready"}
            return json_response(503, content)
        rows_max, bytes_max = served.limits
        try:
            asked = parse(await _body(request, bytes_max), request.headers)
            takes, gives = served.tensors()
            inputs = asked.inputs(takes, rows_max)
            asked.wanted(gives)
            deadline_ns, timeout_ns = asked.times
            reply = await served.infer(inputs, deadline_ns=deadline_ns, timeout_ns=timeout_ns)
        except BadRequestError as error:
            return json_response(400, {"error": str(error)})
        return answer(served.name, asked, reply)

    def _require_model(self, request: Request) -> None:
        asked, ours = request.path_params["name"], self._served.name
        if asked != ours:
            raise HTTPException(404, f"there is no model {asked!r}, only {ours!r}")


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        words = error.detail
        if words == HTTPStatus(error.status_code).phrase:  # starlette's own: no such path or method
            words = f"{words}: {request.method} {request.url.path}; {_PATHS}"
        return json_response(error.status_code, {"error": words}, error.headers)
    return json_response(500, {"error": "internal error: the log says more"})


async def _body(request: Request, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise HTTPException(413, f"a request may have {bytes_max} bytes")
        parts.append(part)
    return b"".join(parts)
