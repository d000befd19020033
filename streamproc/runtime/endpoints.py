"""The HTTP endpoints beside a pipeline, for as long as it runs."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from prometheus_client.registry import Collector

from streamproc.core import VERSION, ModelInfo
from streamproc.telemetry import Accounts, Gauges, Metrics, PipelineCollector, make_registry
from streamproc.web import Action, Guard, OpsServer, ops_app


@contextlib.asynccontextmanager
async def endpoints(
    metrics: Callable[[], Metrics],
    *,
    accounts: Callable[[], Accounts],
    gauges: Callable[[], Gauges],
    models: Callable[[], Sequence[ModelInfo]],
    readiness: Callable[[], Mapping[str, bool]],
    status: Callable[[], Mapping[str, object]],
    actions: Mapping[str, Action],
    more: Sequence[Collector] = (),
) -> AsyncIterator[str | None]:
    """``/metrics``, ``/livez``, ``/readyz`` and ``/api``; gives their address.

    Args:
        metrics: says where they are, at the begin, and what who asks them must show, at any moment.
        accounts: the books.
        gauges: how things stand now.
        models: the models that are loaded now.
        readiness: what readiness waits for, and whether it is there.
        status: what ``/api/status`` shows.
        actions: what ``POST /api/NAME`` does, by name.
        more: what else stands on ``/metrics``.

    Raises:
        ExternalError: the address cannot be listened on.
    """
    listen = metrics().listen
    if listen is None:
        yield None
        return
    host, _, port = listen.rpartition(":")
    collector = PipelineCollector(accounts, gauges=gauges, models=models, version=VERSION)
    registry = make_registry(collector)
    for one in more:
        registry.register(one)
    app = ops_app(registry=registry, readiness=readiness, status=status, actions=actions)
    server = OpsServer(Guard(app, lambda: metrics().token), host, int(port))
    try:
        await server.start()
        yield server.address
    finally:
        await server.stop()
