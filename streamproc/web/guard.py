"""Who may ask the HTTP endpoints for what: a token, the Host header, and headers that no answer lacks.

| | no token is set | a token is set |
|---|---|---|
| ``/livez``, ``/readyz`` | everybody | everybody |
| other GETs | who calls us ``localhost`` or by an address | who has the token |
| POST | nobody | who has the token, as ``Authorization: Bearer`` |
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer, the errors included; one that has its own keeps it (a page needs its styles)."""

OPEN: Final = frozenset({"/livez", "/readyz"})
"""Probes come without a token, and learn nothing but yes or no."""
_READING: Final = frozenset({"GET", "HEAD"})


class Guard:
    """Stands before an ASGI app.

    Args:
        app: what it guards.
        token: says what callers must show at the moment; None where only this machine can call.
        key: where the token stands in the configuration.
        posts: whether a POST comes without a token where none is set: not from a page in a browser.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: Callable[[], str | None],
        *,
        key: str = "telemetry.metrics.token",
        posts: bool = False,
    ) -> None:
        self._app = app
        self._token = token
        self._key = key
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send_strictly)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Why a request is not let through; None where it is."""
        headers, reading = Headers(scope=scope), scope["method"] in _READING
        if scope["path"] in OPEN and reading:
            return None
        token = self._token()
        if token is not None:
            return _without_token(token, headers, reading=reading, key=self._key)
        if not reading and (not self._posts or "origin" in headers):
            return _refused(403, f"needs a token: set {self._key}, and send it as a Bearer")
        if not _is_ours(headers.get("host", "")):
            # A page of elsewhere whose name was pointed at this machine asks in that name (DNS rebinding).
            return _refused(
                421, "this host name is not ours: ask by address or as localhost, or set a token"
            )
        return None


def _without_token(token: str, headers: Headers, *, reading: bool, key: str) -> JSONResponse | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    found: str | None = None
    if scheme.lower() == "bearer":
        found = given.strip()
    elif scheme.lower() == "basic" and reading:
        # What a browser asks a person for. It sends it along by itself, to whatever page asks: so never for a POST.
        found = _password(given)
    if found is not None and hmac.compare_digest(_digest(found), _digest(token)):
        return None
    answer = _refused(401, f"needs the token of {key}, as Authorization: Bearer")
    answer.headers["WWW-Authenticate"] = (
        'Basic realm="streamproc", charset="UTF-8"' if reading else 'Bearer realm="streamproc"'
    )
    return answer


def _digest(token: str) -> bytes:
    """Of equal length whatever the token's: a comparison tells not even that."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _password(given: str) -> str | None:
    try:
        _, colon, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return password if colon else None


def _is_ours(host: str) -> bool:
    """True for ``localhost`` and addresses, with or without a port: a name can be pointed anywhere."""
    name = (
        host.rpartition("]")[0].removeprefix("[")
        if host.startswith("[")
        else host.partition(":")[0]
    )
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refused(status: int, words: str) -> JSONResponse:
    return JSONResponse({"error": words}, status_code=status)
