"""The proxy of the fault suite does to connections what it is told."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import free_port, wait_until
from tests.support.tcp_proxy import PRODUCE, ProxyLoop, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

FETCH = 1


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed: the test is over
                    return
                threading.Thread(target=_echo, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while chunk := connection.recv(4096):
                connection.sendall(chunk)
        except OSError:  # reset by the test
            return


@pytest.fixture
def proxy(echo: int) -> Iterator[TcpProxy]:
    with ProxyLoop() as loop:
        made = TcpProxy(loop, listen=free_port(), upstream=echo)
        made.open()
        yield made


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def request(api: int, body: bytes = b"") -> bytes:
    """As much of a Kafka request as the proxy looks at."""
    return struct.pack(">ih", 2 + len(body), api) + body


def ask(connection: socket.socket, message: bytes) -> bytes:
    connection.sendall(message)
    answer = b""
    while len(answer) < len(message):
        chunk = connection.recv(4096)
        if not chunk:
            raise ConnectionResetError
        answer += chunk
    return answer


def gets_nothing(connection: socket.socket, message: bytes) -> bool:
    connection.sendall(message)
    connection.settimeout(0.2)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)


def test_it_passes_on_what_it_gets(proxy: TcpProxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection, b"x" * 3000) == b"x" * 3000


def test_delay(proxy: TcpProxy) -> None:
    with connect(proxy) as connection:
        proxy.change(delay_s=0.1)
        started = time.monotonic()
        ask(connection, b"x")
        assert time.monotonic() - started >= 0.2  # to and fro


def test_a_narrow_line(proxy: TcpProxy) -> None:
    with connect(proxy) as connection:
        proxy.change(bytes_per_s=10_000)
        started = time.monotonic()
        ask(connection, b"x" * 2_000)
        ask(connection, b"x")
        assert time.monotonic() - started >= 0.2


def test_silence_is_accepted_and_cut_when_it_ends(proxy: TcpProxy) -> None:
    with connect(proxy) as before:
        proxy.change(silent=True)
        with connect(proxy) as during:
            assert gets_nothing(before, b"x")
            assert gets_nothing(during, b"x")
            proxy.mend()
            for connection in (before, during):
                with pytest.raises(ConnectionError):
                    ask(connection, b"y")
    with connect(proxy) as after:
        assert ask(after, b"z") == b"z"


def test_only_the_producers_answers_are_lost(proxy: TcpProxy) -> None:
    with connect(proxy) as producer, connect(proxy) as consumer:
        produce = request(PRODUCE, b"records")
        for piece in (produce[:3], produce[3:]):  # the head may come in pieces
            ask(producer, piece)
        ask(consumer, request(FETCH) + request(FETCH, b"PRODUCE\0\0"))
        proxy.change(answers_lost=True, only_api=PRODUCE)
        assert gets_nothing(producer, produce)
        assert ask(consumer, request(FETCH)) == request(FETCH)
        assert proxy.cut(only_api=PRODUCE) == 1
        wait_until("the cut", lambda: proxy.connections == 1)
        assert ask(consumer, request(FETCH)) == request(FETCH)


def test_it_refuses(proxy: TcpProxy) -> None:
    proxy.change(refuses=True)
    with connect(proxy) as connection, pytest.raises(ConnectionError):
        ask(connection, b"x")
