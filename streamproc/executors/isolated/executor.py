"""The executor of a model in a process of its own."""

import logging
import threading

from streamproc.core import NS_PER_MS, Clock, Columns, Duration, ExternalError, ModelError, Reason
from streamproc.executors.isolated.breaker import CircuitBreaker
from streamproc.executors.isolated.health import ProcessHealth
from streamproc.executors.isolated.life import GoneError, Job, Life, ModelRaisedError
from streamproc.executors.isolated.options import Isolation
from streamproc.executors.isolated.pool import Pool

log = logging.getLogger(__name__)

_TAKE_S = 30.0
"""How long a batch waits for a process that still starts: what waits with it is late by then anyway."""
_SLOWER_MAX = 10
"""A batch tried again may take so many times as long as the slowest that was answered: what hangs is found
sooner than with the whole timeout for each part."""
_TRIED_AGAIN_MIN_NS = 100_000_000
"""And at least so long: the machine's own pauses."""
_TRIED_AGAIN_FOR_NS = 5_000_000_000
"""For so long behind a failure a batch is taken for one that is tried again."""


class IsolatedExecutor:
    """Runs a model in processes of its own, one a batch at a time; implements ``core.Executor``.

    Where the process dies or hangs, the batch fails with a ``ModelError``, and a spare process takes over: to
    try the batch again, in parts, is the caller's (``engine.rescue``).

    Args:
        job: what the processes run.
        options: what the user set.
        concurrency: how many batches run at the same time.
        clock: for the breaker, and to know what a batch takes.
        name: of the variant.

    Raises:
        ConfigError: the model does not load.
        ExternalError: its process does not start.
    """

    inline = False  # the event loop never waits for a process

    def __init__(
        self, job: Job, options: Isolation, *, concurrency: int, clock: Clock, name: str
    ) -> None:
        self._options = options
        self._clock = clock
        self._name = name
        self._breaker = CircuitBreaker(options.breaker)
        self._lock = threading.Lock()
        self._slowest_ns = 0
        self._failed_ns: int | None = None
        self.concurrency = concurrency
        self._processes = concurrency + options.spare
        self._pool = Pool(job, self._processes, start_timeout=options.start_timeout, name=name)
        try:
            self.info = self._pool.first().info
        except BaseException:
            self._pool.close()
            raise

    def health(self) -> ProcessHealth:
        """How its processes stand."""
        with self._lock:
            state = self._breaker.state(self._clock.now_ns())
            opened = self._breaker.opened_total
        return ProcessHealth(self._pool.ready_total, self._pool.restarts, state, opened)

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``.

        Raises:
            ModelError: the process died or hung, or none is there.
            ModelRaisedError: the model raised.
        """
        with self._lock:
            if not self._breaker.allows(self._clock.now_ns()):
                detail = (
                    f"the model {self._name} failed again and again, and is left alone for a while"
                )
                raise ModelError(Reason.MODEL_UNAVAILABLE, detail)
        killed = 0
        while True:
            try:
                life = self._pool.take(_TAKE_S)
            except ExternalError as error:
                self._failed()
                raise ModelError(Reason.MODEL_UNAVAILABLE, str(error)) from None
            try:
                return self._run(life, inputs)
            except GoneError:
                self._pool.discard(life)
            except ModelError:
                # Who kills one may kill them all: the batch is tried on as many as there were before it counts.
                killed += life.was_killed
                if not life.was_killed or killed >= self._processes:
                    self._failed()
                    raise

    def close(self) -> None:
        """Kill the processes; a batch under way fails."""
        self._pool.close()

    def _run(self, life: Life, inputs: Columns) -> Columns:
        size = len(next(iter(inputs.values()))) if inputs else 0
        started_ns = self._clock.now_ns()
        try:
            outputs = life.run(inputs, self._timeout(size))
        except ModelError as error:
            log.warning("model %s, a batch of %d: %s", self._name, size, error)
            self._pool.discard(life)
            raise
        except GoneError:
            raise
        except (ModelRaisedError, TypeError):
            self._answered(0)
            self._pool.give_back(life)
            raise
        except BaseException:
            self._pool.discard(life)
            raise
        self._answered(self._clock.now_ns() - started_ns)
        self._pool.give_back(life)
        return outputs

    def _timeout(self, size: int) -> Duration:
        """How long a batch may take; one of one event always has the whole time, for its verdict is final."""
        if self._failed_ns is None or size == 1 or not self._slowest_ns:
            return self._options.timeout
        if self._clock.now_ns() - self._failed_ns > _TRIED_AGAIN_FOR_NS:
            return self._options.timeout
        shorter_ns = max(_TRIED_AGAIN_MIN_NS, _SLOWER_MAX * self._slowest_ns)
        shorter_ns = -(-shorter_ns // NS_PER_MS) * NS_PER_MS  # a text for people
        return Duration(min(shorter_ns, self._options.timeout))

    def _answered(self, took_ns: int) -> None:
        with self._lock:
            self._slowest_ns = max(self._slowest_ns, took_ns)
            if self._breaker.state(self._clock.now_ns()) != "closed":
                log.warning("model %s answers again", self._name)
            self._breaker.answered()

    def _failed(self) -> None:
        with self._lock:
            self._failed_ns = self._clock.now_ns()
            if self._breaker.failed(self._failed_ns):
                log.error(
                    "model %s failed again and again: nothing is sent to it for a while "
                    "(isolation.breaker); events go to another variant, or are dead letters",
                    self._name,
                )
