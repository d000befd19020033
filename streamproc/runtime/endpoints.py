"""The HTTP endpoints beside a pipeline, and its pushed metrics, for as long as it runs."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from prometheus_client.registry import Collector

from streamproc.config import PipelineConfig
from streamproc.core import VERSION, Clock, InvariantError
from streamproc.runtime.exporting import pushed
from streamproc.runtime.status import Running, Status, actions_of
from streamproc.telemetry import Accounts, PipelineCollector, make_registry
from streamproc.web import Guard, OpsServer, ops_app


@contextlib.asynccontextmanager
async def endpoints(
    running: Running,
    config: Callable[[], PipelineConfig],
    clock: Clock,
    *,
    more: Sequence[Collector] = (),
) -> AsyncIterator[str | None]:
    """The dashboard, ``/metrics``, ``/livez``, ``/readyz`` and ``/api``; gives their address, None where they are off.

    Args:
        running: a service, or a group of them; it has its books.
        config: says where they are, and where metrics are pushed to, at the begin, and what who asks must show, at any
            moment.
        clock: the time.
        more: what else stands on ``/metrics``.

    Raises:
        ConfigError: what is said of the collector is wrong.
        ExternalError: the address cannot be listened on.
    """

    def accounts() -> Accounts:
        found = running.accounts()
        if found is None:
            msg = "endpoints before there are books"
            raise InvariantError(msg)
        return found

    metrics = config().telemetry.metrics
    collector = PipelineCollector(
        accounts, gauges=running.gauges, models=running.models, version=VERSION
    )
    registry = make_registry(collector)
    for one in more:
        registry.register(one)
    async with pushed(metrics.otlp, registry, config().name, clock):
        if metrics.listen is None:
            yield None
            return
        app = ops_app(
            registry=registry,
            readiness=running.readiness,
            status=Status(running, budget_ns=int(config().deadline.budget), clock=clock).show,
            actions=actions_of(running),
        )
        host, _, port = metrics.listen.rpartition(":")
        server = OpsServer(Guard(app, lambda: config().telemetry.metrics.token), host, int(port))
        try:
            await server.start()
            yield server.address
        finally:
            await server.stop()
