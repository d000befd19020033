"""Running batches away from the event loop, which must never wait for a model."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from streamproc.core import Columns


class BatchThreads:
    """Threads that run batches; onnxruntime releases the GIL while it computes.

    Args:
        run: what they call.
        concurrency: how many there are.
    """

    def __init__(self, run: Callable[[Columns], Columns], concurrency: int) -> None:
        self._run = run
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="streamproc-executor")

    def submit(self, inputs: Columns) -> Awaitable[Columns]:
        """The result of running ``inputs`` on one of the threads."""
        return asyncio.get_running_loop().run_in_executor(self._pool, self._run, inputs)

    def close(self) -> None:
        """End the threads; a batch that runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
