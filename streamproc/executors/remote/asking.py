"""Asking one of several servers within a time: again where one is busy, a second one where the first is slow."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np

from streamproc.core import NS_PER_S, Clock, Columns
from streamproc.executors.remote.errors import BusyError, RemoteError, SlowError
from streamproc.executors.remote.transport import Transport

_KEPT = 512
_ENOUGH = 20
"""Answers from which a time for hedging is told: of fewer, 95 of 100 says nothing."""
_HEDGED = 0.95
_PAUSE_S = 0.005
"""Before a busy server is asked again: so that one that refuses connections is not asked as fast as it refuses."""

Ask = Callable[[Transport, int], Columns]
"""Asks one server within so many ns."""


class Answers:
    """How long answers took, as far as that is remembered. May be used by several threads."""

    def __init__(self) -> None:
        self._took_ns: deque[int] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def took(self, took_ns: int) -> None:
        """An answer came."""
        with self._lock:
            self._took_ns.append(took_ns)

    def quantile_ns(self, share: float) -> int | None:
        """Within this time so many came; None while there are too few."""
        with self._lock:
            known = list(self._took_ns)
        return round(float(np.quantile(known, share))) if len(known) >= _ENOUGH else None


class Asking:
    """Asks servers that hold the same model.

    Args:
        servers: the preferred one first.
        retries: how often a batch is asked again.
        hedge: whether a slow one is asked a second time.
        concurrency: batches under way at the same time.
        clock: the time.
    """

    def __init__(
        self,
        servers: Sequence[Transport],
        *,
        retries: int,
        hedge: bool,
        concurrency: int,
        clock: Clock,
    ) -> None:
        self._servers = servers
        self._retries = retries
        self._hedge = hedge
        self._clock = clock
        # A call that was given up goes on in its thread until its own time is over, which is soon.
        calls = concurrency * (1 + retries + hedge)
        self._threads = ThreadPoolExecutor(2 * calls, thread_name_prefix="streamproc-remote")
        self.answers = Answers()
        self.hedged_total = 0
        """Batches that were asked a second time because the first answer was slow."""

    def ask(self, ask: Ask, until_ns: int) -> Columns:
        """The first good answer.

        Args:
            ask: asks one server.
            until_ns: when it is worth nothing any more.

        Raises:
            RemoteError: of the last server that failed; ``SlowError`` where none answered in time.
        """
        waiting: set[Future[Columns]] = set()
        turn, again = 0, self._retries
        second_ns = self._second_ns(until_ns)
        waiting.add(self._send(ask, turn, until_ns))
        failed: RemoteError | None = None
        while True:
            now_ns = self._clock.now_ns()
            next_ns = until_ns if second_ns is None else min(second_ns, until_ns)
            done, waiting = wait(
                waiting, max(0, next_ns - now_ns) / NS_PER_S, return_when=FIRST_COMPLETED
            )
            for call in done:
                failure = call.exception()
                if failure is None:
                    return call.result()
                if not isinstance(failure, BusyError):
                    raise failure
                failed = failure
            now_ns = self._clock.now_ns()
            if now_ns >= until_ns:
                raise failed or SlowError(f"no answer from {self._servers[0].place} in time")
            if done and not waiting:
                if not again:
                    raise failed or SlowError("no answer")
                again -= 1
                turn += 1
                waiting.add(self._send(ask, turn, until_ns, pause_s=_PAUSE_S))
            elif second_ns is not None and now_ns >= second_ns:
                second_ns = None
                turn += 1
                self.hedged_total += 1
                waiting.add(self._send(ask, turn, until_ns))

    def close(self) -> None:
        """Ask no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _second_ns(self, until_ns: int) -> int | None:
        if not self._hedge:
            return None
        usual_ns = self.answers.quantile_ns(_HEDGED)
        if usual_ns is None:
            return None
        at_ns = self._clock.now_ns() + usual_ns
        return at_ns if at_ns < until_ns else None

    def _send(self, ask: Ask, turn: int, until_ns: int, pause_s: float = 0.0) -> Future[Columns]:
        server = self._servers[turn % len(self._servers)]

        def call() -> Columns:
            if pause_s:
                threading.Event().wait(pause_s)
            started_ns = self._clock.now_ns()
            left_ns = until_ns - started_ns
            if left_ns <= 0:
                msg = "there was no thread to ask it in time"
                raise SlowError(msg)
            outputs = ask(server, left_ns)
            self.answers.took(self._clock.now_ns() - started_ns)
            return outputs

        return self._threads.submit(call)
