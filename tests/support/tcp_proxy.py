"""A TCP proxy on loopback with the faults of a network: delay, a narrow line, silence, cut connections, lost answers.

All proxies of a test share one event loop in a thread of its own. They pass bytes on without looking at them,
but for one thing: which requests of Kafka's protocol a connection has sent, so that a fault can meet the
connections of a producer alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

PRODUCE = 0
"""Kafka's number of the request that produces."""
_CHUNK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Weather:
    """How the network of a proxy is.

    Attributes:
        delay_s: how much later bytes arrive, in either direction.
        bytes_per_s: how much passes in each direction of a connection; None for no limit.
        silent: what is sent is not passed on, in either direction, and nobody is told; new connections are accepted.
        answers_lost: what the server answers is not passed on, what the client sends is.
        refuses: new connections are closed at once.
        only_api: only connections that have sent this request of Kafka's are met; None for all.
    """

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    silent: bool = False
    answers_lost: bool = False
    refuses: bool = False
    only_api: int | None = None


FAIR = Weather()


class ProxyLoop:
    """An event loop in a thread; in a ``with`` block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._proxies: list[TcpProxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            proxy.close()
        self.call(_end_others())  # a connection that is being cut still has its ways to end
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def add(self, proxy: TcpProxy) -> None:
        """Close this proxy at the end."""
        self._proxies.append(proxy)

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Do something on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


async def _end_others() -> None:
    """Cancel all other tasks of the loop, and wait for their ends."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class TcpProxy:
    """One address that leads to another.

    Attributes:
        port: where it listens, on loopback.
    """

    def __init__(self, loop: ProxyLoop, *, listen: int, upstream: int) -> None:
        self.port = listen
        self._upstream = upstream
        self._loop = loop
        self._weather = FAIR
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        loop.add(self)

    def open(self) -> None:
        """Listen."""
        self._loop.call(self._open())

    def close(self) -> None:
        """Listen no more, and cut what is connected."""
        self._loop.call(self._close())

    @property
    def connections(self) -> int:
        return len(self._lines)

    def change(self, **weather: object) -> None:
        """Change the weather from now on, for old connections and new; see ``Weather``."""
        new = replace(self._weather, **weather)  # type: ignore[arg-type]
        self._loop.call(self._change(new))

    def mend(self) -> None:
        """Fair weather again. A connection that has lost bytes is cut: what came behind them would make no sense."""
        self._loop.call(self._mend())

    def cut(self, *, only_api: int | None = None) -> int:
        """Cut connections, those that have sent a request of this kind or all; gives how many."""
        return self._loop.call(self._cut(lambda line: only_api is None or only_api in line.apis))

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut(lambda _: True)

    async def _change(self, weather: Weather) -> None:
        self._weather = weather

    async def _mend(self) -> None:
        self._weather = FAIR
        await self._cut(lambda line: line.has_lost)

    async def _cut(self, which: Callable[[_Line], bool]) -> int:
        met = [line for line in self._lines if which(line)]
        for line in met:
            line.cut()
        return len(met)

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self._weather.refuses:
            back.transport.abort()
            return
        try:
            far, out = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:  # the broker is down: so is its address
            back.transport.abort()
            return
        line = _Line(lambda: self._weather, back, out)
        self._lines.add(line)
        try:
            await line.run(near, far)
        finally:
            self._lines.discard(line)


class _Line:
    """One connection: two directions."""

    def __init__(
        self,
        weather: Callable[[], Weather],
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._weather = weather
        self._to_client = to_client
        self._to_server = to_server
        self._requests = _Requests()
        self.has_lost = False

    @property
    def apis(self) -> set[int]:
        """Kafka's requests that it has sent."""
        return self._requests.apis

    def cut(self) -> None:
        """A reset in both directions."""
        self._to_client.transport.abort()
        self._to_server.transport.abort()

    async def run(self, near: asyncio.StreamReader, far: asyncio.StreamReader) -> None:
        """Pass on until one end closes; then both are closed."""
        ways = [
            asyncio.ensure_future(self._pass(near, self._to_server, is_answer=False)),
            asyncio.ensure_future(self._pass(far, self._to_client, is_answer=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.cut()

    def _now(self) -> Weather:
        """The weather for this connection."""
        weather = self._weather()
        met = weather.only_api is None or weather.only_api in self.apis
        return weather if met else FAIR

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        delivery = asyncio.ensure_future(self._deliver(queue, writer))
        try:
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(_CHUNK_BYTES):
                    if not is_answer:
                        self._requests.saw(chunk)
                    weather = self._now()
                    if weather.silent or (is_answer and weather.answers_lost):
                        self.has_lost = True
                        continue
                    await queue.put((loop.time() + weather.delay_s, chunk))
                    if weather.bytes_per_s is not None:
                        await asyncio.sleep(len(chunk) / weather.bytes_per_s)
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    async def _deliver(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while True:
                due, chunk = await queue.get()
                if (wait_s := due - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                writer.write(chunk)
                await writer.drain()


class _Requests:
    """Which requests went by: each begins with its length and its kind (int32, int16, big-endian)."""

    def __init__(self) -> None:
        self.apis: set[int] = set()
        self._head = b""
        self._body_left = 0

    def saw(self, chunk: bytes) -> None:
        """Take note of the next bytes of the client."""
        at = 0
        while at < len(chunk):
            if self._body_left:
                step = min(self._body_left, len(chunk) - at)
                self._body_left -= step
                at += step
                continue
            step = min(6 - len(self._head), len(chunk) - at)
            self._head += chunk[at : at + step]
            at += step
            if len(self._head) == 6:
                size, api = struct.unpack(">ih", self._head)
                self.apis.add(api)
                self._body_left = max(0, size - 2)
                self._head = b""
