"""The HTTP endpoints beside a pipeline, for as long as it runs."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from streamproc.core import VERSION, ModelInfo
from streamproc.telemetry import Accounts, Gauges, PipelineCollector, make_registry
from streamproc.web import OpsServer, ops_app


@contextlib.asynccontextmanager
async def endpoints(
    listen: str | None,
    *,
    accounts: Callable[[], Accounts],
    gauges: Callable[[], Gauges],
    models: Callable[[], Sequence[ModelInfo]],
    readiness: Callable[[], Mapping[str, bool]],
) -> AsyncIterator[str | None]:
    """``/metrics``, ``/livez`` and ``/readyz``; gives their address.

    Args:
        listen: ``host:port``; None for no endpoints.
        accounts: the books.
        gauges: how things stand now.
        models: the models that are loaded now.
        readiness: what readiness waits for, and whether it is there.

    Raises:
        ExternalError: the address cannot be listened on.
    """
    if listen is None:
        yield None
        return
    host, _, port = listen.rpartition(":")
    collector = PipelineCollector(accounts, gauges=gauges, models=models, version=VERSION)
    server = OpsServer(
        ops_app(registry=make_registry(collector), readiness=readiness), host, int(port)
    )
    try:
        await server.start()
        yield server.address
    finally:
        await server.stop()
