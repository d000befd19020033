"""A sink without a broker: what is sent is acknowledged after a time."""

import asyncio

import numpy as np

from streamproc.core import NS_PER_S, Clock, Int64Array, OutRecords, SendDone, TopicPartition


class LocalSink:
    """Acknowledges what is sent, and keeps nothing; implements ``core.Sink``.

    Args:
        clock: the time.
        send_ns: int64 [n], how long acknowledgements take: one for always, or several to be drawn from.
        seed: of what is drawn.
    """

    def __init__(self, clock: Clock, *, send_ns: Int64Array, seed: int = 0) -> None:
        self._clock = clock
        self._send_ns = send_ns
        self._rng = np.random.default_rng(seed)
        self._acknowledged_ns: dict[TopicPartition, int] = {}
        self._pending_bytes = 0
        self._open: set[asyncio.TimerHandle] = set()
        self._started = False

    async def start(self) -> None:
        """There is nothing to connect to; see ``Sink``."""
        self._started = True

    def send(self, records: OutRecords, done: SendDone) -> None:
        """Acknowledge the records after a time, those of one partition in their order; see ``Sink``."""
        size = sum(map(len, filter(None, [*records.key, *records.value])))
        self._pending_bytes += size
        now_ns = self._clock.now_ns()
        took_ns = int(self._send_ns[self._rng.integers(len(self._send_ns))])
        at_ns = max(now_ns + took_ns, self._acknowledged_ns.get(records.source, 0))
        self._acknowledged_ns[records.source] = at_ns

        def acknowledge() -> None:
            self._open.discard(timer)
            self._pending_bytes -= size
            done(self._clock.now_ns())

        timer = asyncio.get_running_loop().call_later((at_ns - now_ns) / NS_PER_S, acknowledge)
        self._open.add(timer)

    def pending_bytes(self) -> int:
        """Bytes not yet acknowledged; see ``Sink``."""
        return self._pending_bytes

    def healthy(self) -> bool:
        """True while it is started; see ``Sink``."""
        return self._started

    async def stop(self, *, timeout_ns: int) -> None:  # noqa: ARG002 - it never has to wait
        """Acknowledge nothing more; see ``Sink``."""
        self._started = False
        for timer in self._open:
            timer.cancel()
        self._open.clear()
