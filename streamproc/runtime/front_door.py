"""The front door of a running pipeline: requests become rows in the scheduler's lowest lane."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streamproc.config import PipelineConfig
from streamproc.core import Clock, Columns, Executor, TensorSpec
from streamproc.engine import (
    ANSWER_KINDS,
    Engine,
    RequestAnswer,
    Requests,
    Signature,
    signature_of,
)
from streamproc.runtime.driver import Driver
from streamproc.telemetry import family, names
from streamproc.web import BadRequestError, Guard, OpsServer, Reply, front_door_app

log = logging.getLogger(__name__)


class FrontDoor:
    """What stands behind the endpoints; implements ``web.Served``.

    Args:
        config: the pipeline as it is now.
        engine: takes the requests in.
        driver: is woken by them.
        executors: of the model's variants that run now, the best one's first.
        requests: the engine's.
        clock: the time.

    Attributes:
        name: of the model in paths: the pipeline's.
        limits: the most rows and bytes of one request.
        collector: shows on ``/metrics`` what became of requests.
    """

    def __init__(
        self,
        config: Callable[[], PipelineConfig],
        *,
        engine: Engine,
        driver: Driver,
        executors: Callable[[], Sequence[Executor]],
        requests: Requests,
        clock: Clock,
    ) -> None:
        serve = config().serve
        budget = config().deadline.budget
        self._timeout_ns = int(budget if serve is None or serve.timeout is None else serve.timeout)
        self._waiting_max = 0 if serve is None else serve.max_waiting
        self.limits = (0, 0) if serve is None else (serve.max_rows, int(serve.max_body))
        self.name = config().name
        self._engine = engine
        self._driver = driver
        self._executors = executors
        self._requests = requests
        self._clock = clock
        self._closed = False
        requests.variants = lambda: [executor.info.variant for executor in executors()]
        self.collector: Collector = RequestsCollector(requests)

    def tensors(self) -> tuple[Sequence[TensorSpec], Sequence[TensorSpec]]:
        """What the model takes and gives."""
        info = self._executors()[0].info
        return info.inputs, info.outputs

    def ready(self) -> bool:
        """Whether requests are answered; partitions and brokers play no part."""
        ending = self._closed or self._driver.failure.done() or self._engine.draining
        return not ending

    async def infer(
        self, inputs: Columns, *, deadline_ns: int | None, timeout_ns: int | None
    ) -> Reply:
        """Let the rows wait for their run, and give what becomes of them.

        Raises:
            BadRequestError: the model leaves sizes open, and they have others than the events.
        """
        given, wanted = signature_of(inputs), self._requests.like
        if wanted is not None and given != wanted:
            msg = f"the inputs are {_words(given)}, those of the events {_words(wanted)}"
            raise BadRequestError(msg)
        rows, waiting = len(next(iter(inputs.values()))), self._requests.waiting
        if waiting + rows > self._waiting_max:
            self._requests.counts["shed"] += 1
            return Reply("shed", reason="too_many", detail=f"{waiting} rows of others wait already")
        now_ns = self._clock.now_ns()
        by_ns = now_ns + (self._timeout_ns if timeout_ns is None else timeout_ns)
        by_ns = by_ns if deadline_ns is None else min(by_ns, deadline_ns)
        answered: asyncio.Future[RequestAnswer] = asyncio.get_running_loop().create_future()

        def done(answer: RequestAnswer) -> None:
            if not answered.done():  # who asked may have gone
                answered.set_result(answer)

        self._engine.entrance.ask(inputs, deadline_ns=by_ns, now_ns=now_ns, done=done)
        self._driver.wake()
        answer = await answered
        return Reply(answer.kind, answer.outputs, answer.variant, answer.reason, answer.detail)

    def close(self) -> None:
        """Answer those that wait: nothing more will come."""
        self._closed = True
        self._requests.close()


def _words(signature: Signature) -> str:
    return ", ".join(
        f"{name} {dtype}[{', '.join(map(str, ('rows', *shape)))}]"
        for name, (dtype, shape) in signature.items()
    )


class RequestsCollector(Collector):
    """Shows on ``/metrics`` what became of requests."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """The family."""
        counts = self._requests.counts
        yield family(names.REQUESTS, {(kind,): counts.get(kind, 0) for kind in ANSWER_KINDS})


@contextlib.asynccontextmanager
async def front_door(door: FrontDoor | None, config: PipelineConfig) -> AsyncIterator[str | None]:
    """Serve for as long as it is entered; gives the address, None where the door is closed.

    Raises:
        ExternalError: the address cannot be listened on.
    """
    if door is None or config.serve is None:
        yield None
        return
    host, _, port = config.serve.listen.rpartition(":")
    token = config.serve.token
    guard = Guard(front_door_app(door), lambda: token, key="serve.token", posts=True)
    server = OpsServer(guard, host, int(port), key="serve.listen")
    try:
        await server.start()
        log.warning(
            "requests are answered on http://%s/v2/models/%s/infer", server.address, door.name
        )
        yield server.address
    finally:
        door.close()
        await server.stop()
