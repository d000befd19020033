"""The ops endpoints over real loopback HTTP."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import pytest
import pytest_asyncio
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from streamproc.core import ExternalError, InvariantError
from streamproc.telemetry import Accounts, Gauges, PipelineCollector, make_registry
from streamproc.web import OpsServer, ops_app
from streamproc.web.ops import HEADERS, STOP_S

# One loop and one server for all that only ask: stopping one takes 0.2 s.
pytestmark = pytest.mark.asyncio(loop_scope="module")

READY = {"assignment": True, "model": True, "broker": True}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


async def ask(address: str, path: str, method: str = "GET", **headers: str) -> Answer:
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    first, *rest = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return Answer(int(first.split()[1]), {k.lower(): v for k, v in pairs}, body.decode())


@pytest.fixture(scope="module")
def live_readiness() -> dict[str, bool]:
    return {}


@pytest.fixture(autouse=True)
def readiness(live_readiness: dict[str, bool]) -> dict[str, bool]:
    """What /readyz is told: all there, until the test says otherwise."""
    live_readiness.update(READY)
    return live_readiness


def make_server(readiness: Mapping[str, bool], host: str = "127.0.0.1", port: int = 0) -> OpsServer:
    collector = PipelineCollector(
        lambda: Accounts(pipeline="p"), gauges=Gauges, models=lambda: (), version="0"
    )
    app = ops_app(registry=make_registry(collector), readiness=lambda: readiness)
    return OpsServer(app, host, port)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(live_readiness: dict[str, bool]) -> AsyncIterator[OpsServer]:
    server = make_server(live_readiness)
    await server.start()
    yield server
    await server.stop()


async def test_metrics_as_text(server: OpsServer) -> None:
    answer = await ask(server.address, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {family.name for family in text_string_to_metric_families(answer.body)}
    assert "streamproc_outcomes" in found


async def test_metrics_as_openmetrics(server: OpsServer) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2"
    answer = await ask(server.address, "/metrics", Accept=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith("# EOF\n")


async def test_alive(server: OpsServer) -> None:
    answer = await ask(server.address, "/livez")
    assert (answer.status, json.loads(answer.body)) == (200, {"live": True})


async def test_ready_when_everything_is_there(
    server: OpsServer, readiness: dict[str, bool]
) -> None:
    answer = await ask(server.address, "/readyz")
    assert (answer.status, json.loads(answer.body)) == (200, {"ready": True, "waiting_for": []})

    readiness.update(model=False, broker=False)
    answer = await ask(server.address, "/readyz")
    assert answer.status == 503
    assert json.loads(answer.body) == {"ready": False, "waiting_for": ["model", "broker"]}


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
async def test_head_is_get_without_a_body(server: OpsServer, path: str) -> None:
    answer = await ask(server.address, path, method="HEAD")
    assert (answer.status, answer.body) == (200, "")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/", "/nothing", "/metrics/", "/%00", "/../etc/passwd"])
async def test_an_unknown_path_is_answered_in_json(server: OpsServer, path: str) -> None:
    answer = await ask(server.address, path)
    assert answer.status == 404
    assert json.loads(answer.body) == {
        "error": "Not Found",
        "paths": ["/metrics", "/livez", "/readyz"],
    }


async def test_another_method_is_refused(server: OpsServer) -> None:
    answer = await ask(server.address, "/metrics", method="POST")
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert json.loads(answer.body)["error"] == "Method Not Allowed"


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/nothing"])
async def test_strict_headers_are_on_every_answer(server: OpsServer, path: str) -> None:
    answer = await ask(server.address, path)
    assert {name: answer.headers[name.lower()] for name in HEADERS} == HEADERS
    assert "server" not in answer.headers


async def test_a_failure_inside_is_a_500_that_tells_nothing() -> None:
    def broken() -> Mapping[str, bool]:
        raise RuntimeError("secret")

    collector = PipelineCollector(
        lambda: Accounts(pipeline="p"), gauges=Gauges, models=lambda: (), version="0"
    )
    server = OpsServer(ops_app(registry=make_registry(collector), readiness=broken), "127.0.0.1", 0)
    await server.start()
    answer = await ask(server.address, "/readyz")
    await server.stop()
    assert answer.status == 500
    assert "secret" not in answer.body
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


async def test_port_0_takes_a_free_one_and_says_which(server: OpsServer) -> None:
    host, port = server.address.split(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


async def test_a_port_in_use_is_said_with_what_to_do(
    server: OpsServer, readiness: dict[str, bool]
) -> None:
    second = make_server(readiness, port=int(server.address.split(":")[1]))
    with pytest.raises(ExternalError) as caught:
        await second.start()
    assert str(caught.value) == (
        f"{server.address} is in use: another process listens there; set telemetry.metrics.listen"
        " to another port, or 127.0.0.1:0 for a free one"
    )
    await second.stop()


# The last two fail before any name server is asked: an interface that is not there, a label too long.
@pytest.mark.parametrize("host", ["192.0.2.1", "fe80::1%nowhere", "x" * 70])
async def test_an_address_that_is_not_ours(readiness: dict[str, bool], host: str) -> None:
    with pytest.raises(ExternalError, match=f"{host} is no address of this machine"):
        await make_server(readiness, host=host).start()


async def test_ipv6(readiness: dict[str, bool]) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    server = make_server(readiness, host="[::1]")
    await server.start()
    assert server.address.startswith("[::1]:")
    assert (await ask(server.address, "/livez")).status == 200
    await server.stop()


async def test_the_signals_stay_the_pipelines(readiness: dict[str, bool]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = make_server(readiness)
    await server.start()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    await server.stop()


async def test_after_stop_the_port_is_free_again(readiness: dict[str, bool]) -> None:
    server = make_server(readiness)
    await server.start()
    port = int(server.address.split(":")[1])
    await server.stop()
    await server.stop()
    again = make_server(readiness, port=port)
    await again.start()
    assert (await ask(again.address, "/livez")).status == 200
    await again.stop()


async def test_stop_is_bounded_though_a_client_never_reads() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536

        await StreamingResponse(parts())(scope, receive, send)

    server = OpsServer(endless, "127.0.0.1", 0)
    await server.start()
    host, port = server.address.split(":")
    _, idle = await asyncio.open_connection(host, int(port))
    idle.write(b"GET / HT")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readexactly(10)
    assert server._server is not None
    connections = list(server._server.server_state.connections)
    async with asyncio.timeout(STOP_S + 1):
        await server.stop()
    assert len(connections) == 2
    assert all(c.transport.is_closing() for c in connections)
    for held in (idle, writer):
        held.transport.abort()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
async def test_on_both_kinds_of_loop(run: Callable[..., int], readiness: dict[str, bool]) -> None:
    async def once() -> int:
        server = make_server(readiness)
        await server.start()
        answer = await ask(server.address, "/livez")
        await server.stop()
        return answer.status

    assert await asyncio.to_thread(run, once()) == 200


async def test_no_address_before_the_start(readiness: dict[str, bool]) -> None:
    with pytest.raises(InvariantError, match="no address before start"):
        _ = make_server(readiness).address
