"""Tokens of SASL OAUTHBEARER: read again, fetched before they are too old, and never shown."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from streamproc.connectors.kafka.tokens import ClientCredentials, TokenError, TokenFile, TokenText
from streamproc.core import NS_PER_S, VirtualClock


class Endpoint:
    """An OAuth 2 endpoint on loopback that answers what it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.answers: list[tuple[int, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                form = parse_qs(self.rfile.read(length).decode())
                outer.asked.append((self.headers["authorization"], form))
                status, body = outer.answers.pop(0)
                self.send_response(status)
                self.send_header("location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def credentials(endpoint: Endpoint, clock: VirtualClock) -> ClientCredentials:
    return ClientCredentials(
        url=endpoint.url,
        client_id="me",
        client_secret="hidden-secret",
        scope="kafka",
        trust=ssl.create_default_context(),
        clock=clock,
    )


def answer(token: str, **more: object) -> tuple[int, bytes]:
    return 200, json.dumps({"access_token": token, "token_type": "Bearer", **more}).encode()


async def test_a_token_is_fetched_anew_before_it_is_too_old(endpoint: Endpoint) -> None:
    clock = VirtualClock(NS_PER_S)
    provider = credentials(endpoint, clock)
    endpoint.answers = [answer("one", expires_in=100), answer("two", expires_in=100)]
    assert await asyncio.gather(*(provider.token() for _ in range(5))) == ["one"] * 5
    clock.advance(79 * NS_PER_S)
    assert await provider.token() == "one"
    clock.advance(1 * NS_PER_S)
    assert await provider.token() == "two"
    basic = "Basic " + base64.b64encode(b"me:hidden-secret").decode()
    form = {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    assert endpoint.asked == [(basic, form)] * 2


async def test_a_jwt_says_itself_how_long_it_lives(endpoint: Endpoint) -> None:
    clock = VirtualClock(NS_PER_S)
    provider = credentials(endpoint, clock)
    claims = base64.urlsafe_b64encode(b'{"exp": 101}').decode().rstrip("=")
    endpoint.answers = [answer(f"a.{claims}.b"), answer("two")]
    assert await provider.token() == f"a.{claims}.b"
    clock.advance(79 * NS_PER_S)
    assert await provider.token() == f"a.{claims}.b"
    clock.advance(1 * NS_PER_S)
    assert await provider.token() == "two"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((401, b"{}"), "refuses with status 401"),
        ((302, b""), "refuses with status 302"),  # the secret does not follow
        ((200, b"<html>"), "answers without an access_token"),
        ((200, b'{"access_token": 5}'), "answers without an access_token"),
        (answer("a\x01b"), "holds no token"),
        (answer(""), "holds no token"),
    ],
)
async def test_what_is_no_token_is_said_without_the_secret(
    endpoint: Endpoint, given: tuple[int, bytes], words: str
) -> None:
    endpoint.answers = [given]
    with pytest.raises(TokenError, match=words) as caught:
        await credentials(endpoint, VirtualClock(0)).token()
    assert "hidden-secret" not in str(caught.value)


async def test_nobody_there() -> None:
    gone = Endpoint()
    gone.server.server_close()
    with pytest.raises(TokenError, match="does not answer"):
        await credentials(gone, VirtualClock(0)).token()


async def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    provider = TokenFile(str(file))
    with pytest.raises(TokenError, match="cannot be read: No such file"):
        await provider.token()
    for text in ("one", "two"):
        file.write_text(f"{text}\n")
        assert await provider.token() == text
    file.write_bytes(b"\xff")
    with pytest.raises(TokenError, match="holds no token"):
        await provider.token()


async def test_a_text_stays() -> None:
    assert await TokenText("abc.def-").token() == "abc.def-"
    with pytest.raises(TokenError):
        await TokenText("two words").token()
