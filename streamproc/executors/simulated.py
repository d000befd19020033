"""A pretended device: takes a set time for each batch."""

import time

import numpy as np

from streamproc.core import NS_PER_S, Clock, Columns, Executor, ModelInfo
from streamproc.executors.options import Simulated


class SimulatedExecutor:
    """Holds each batch for ``fixed + per_event * size``.

    Args:
        options: the times.
        clock: to know when the time is over.
        inner: gives the outputs; None gives zeros.
        variant: which variant of the model it is.
    """

    def __init__(
        self,
        options: Simulated,
        *,
        clock: Clock,
        inner: Executor | None,
        variant: str = "full",
    ) -> None:
        self._options = options
        self._clock = clock
        self._inner = inner
        self.info = inner.info if inner else ModelInfo(variant, "simulated", runs_on="simulated")
        self.concurrency = 1
        self.inline = False

    def run(self, inputs: Columns) -> Columns:
        """The outputs, when the time is over; see ``Executor``."""
        size = len(next(iter(inputs.values())))
        end_ns = self._clock.now_ns() + self._options.fixed + self._options.per_event * size
        outputs: Columns = {"output": np.zeros((size, 1), np.float32)}
        if self._inner is not None:
            outputs = self._inner.run(inputs)
        time.sleep(max(0, end_ns - self._clock.now_ns()) / NS_PER_S)
        return outputs

    def close(self) -> None:
        """Close the inner one; see ``Executor``."""
        if self._inner is not None:
            self._inner.close()
