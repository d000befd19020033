"""Who is let in to the endpoints: tokens, host names, methods; and the headers on every answer."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streamproc.web import Guard
from streamproc.web.guard import HEADERS

TOKEN = "0123456789abcdef-hidden"
HERE = {"host": "127.0.0.1:9464"}
BEARER = {**HERE, "authorization": f"Bearer {TOKEN}"}
BASIC = {**HERE, "authorization": "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()}
PATHS = ("/metrics", "/livez", "/readyz", "/page", "/api/pause")


async def _answer(request: Request) -> Response:
    own = {"Content-Security-Policy": "default-src 'self'"} if request.url.path == "/page" else {}
    return PlainTextResponse("in", headers=own)


APP = Starlette(routes=[Route(path, _answer, methods=["GET", "POST"]) for path in PATHS])


async def ask(
    token: str | None, path: str, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await Guard(APP, lambda: token)(scope, receive, send)
    body = b"".join(m.get("body", b"") for m in sent[1:])
    named = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], named, body.decode()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", 200),
        ("localhost", 200),
        ("LOCALHOST:9464", 200),
        ("[::1]:9464", 200),
        ("10.1.2.3:9464", 200),
        ("evil.test", 421),
        ("localhost.evil.test:9464", 421),
        ("127.0.0.1.evil.test", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
async def test_a_name_that_was_pointed_here_is_refused(host: str, status: int) -> None:
    found, _, body = await ask(None, "/metrics", {"host": host})
    assert found == status
    assert (body == "in") == (status == 200)


async def test_without_a_token_nothing_can_be_posted() -> None:
    status, _, body = await ask(None, "/api/pause", HERE, "POST")
    assert status == 403
    assert "telemetry.metrics.token" in body


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        (BEARER, "GET", 200),
        (BEARER, "POST", 200),
        ({**BEARER, "host": "pipeline:9464"}, "GET", 200),  # who has the token may call us as they like
        (BASIC, "GET", 200),
        (BASIC, "POST", 401),  # a browser sends it along by itself
        (HERE, "GET", 401),
        (HERE, "POST", 401),
        ({**HERE, "authorization": f"Bearer {TOKEN}x"}, "GET", 401),
        ({**HERE, "authorization": f"Bearer {TOKEN[:-1]}"}, "GET", 401),
        ({**HERE, "authorization": "Bearer "}, "GET", 401),
        ({**HERE, "authorization": "Bearer \u00fc"}, "GET", 401),
        ({**HERE, "authorization": "Basic ?"}, "GET", 401),
        ({**HERE, "authorization": "Basic " + base64.b64encode(TOKEN.encode()).decode()}, "GET", 401),
    ],
)  # fmt: skip
async def test_the_token(headers: dict[str, str], method: str, status: int) -> None:
    found, answered, body = await ask(TOKEN, "/api/pause", headers, method)
    assert found == status
    if status == 401:
        assert answered["www-authenticate"].startswith("Basic" if method == "GET" else "Bearer")
    assert TOKEN not in body


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_need_nothing(token: str | None, path: str) -> None:
    assert (await ask(token, path, {"host": "any.test"}))[0] == 200


@pytest.mark.parametrize(
    ("token", "path", "headers"),
    [(None, "/metrics", HERE), (None, "/metrics", {}), (TOKEN, "/metrics", HERE), (None, "/none", HERE)],
)  # fmt: skip
async def test_no_answer_lacks_the_strict_headers(
    token: str | None, path: str, headers: dict[str, str]
) -> None:
    _, answered, _ = await ask(token, path, headers)
    assert {name: answered[name.lower()] for name in HEADERS} == HEADERS


async def test_a_page_keeps_its_own_policy() -> None:
    _, answered, _ = await ask(None, "/page", HERE)
    assert answered["content-security-policy"] == "default-src 'self'"
    assert answered["x-content-type-options"] == "nosniff"
