"""A status served on a loop and a thread of its own, as a pipeline serves it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client.registry import CollectorRegistry

from streamproc.web import Guard, OpsServer, ops_app
from tests.support.statuses import Still


@contextmanager
def serving(
    still: Still, show: Callable[[], dict[str, object]], *, token: str | None = None
) -> Iterator[str]:
    """Serve it until the block ends; gives its address.

    Args:
        still: says whether it is ready.
        show: gives the status.
        token: what callers must show; None for nothing.
    """
    app = ops_app(registry=CollectorRegistry(), readiness=still.readiness, status=show)
    server = OpsServer(Guard(app, lambda: token), "127.0.0.1", 0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server.address
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
