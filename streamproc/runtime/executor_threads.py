"""The threads that batches run on: some for the model itself, and others for each model that is tried beside it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from streamproc.core import Executor


class ExecutorThreads:
    """Belongs to the event loop.

    Args:
        concurrency: how many batches of the model itself run at the same time.

    Attributes:
        ladder: those of the model itself, whatever the variant.
    """

    def __init__(self, concurrency: int) -> None:
        self.ladder = ThreadPoolExecutor(concurrency, thread_name_prefix="streamproc-executor")
        self._beside: dict[Executor, ThreadPoolExecutor] = {}

    def beside(self, executor: Executor) -> ThreadPoolExecutor:
        """Those of one that is tried: what hangs there keeps no other waiting."""
        threads = self._beside.get(executor)
        if threads is None:
            name = f"streamproc-{executor.info.variant}"
            threads = ThreadPoolExecutor(executor.concurrency, thread_name_prefix=name)
            self._beside[executor] = threads
        return threads

    def forget(self, executors: Iterable[Executor]) -> None:
        """These are closed."""
        for executor in executors:
            threads = self._beside.pop(executor, None)
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for none of them."""
        for threads in (self.ladder, *self._beside.values()):
            threads.shutdown(wait=False, cancel_futures=True)
