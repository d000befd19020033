"""A pretended device: takes a set time for each batch."""

import time

import numpy as np

from streamproc.core import NS_PER_S, Clock, Columns, Executor, ModelError, ModelInfo, Reason
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
        return self.run_by(inputs, None)

    def run_by(
        self,
        inputs: Columns,
        deadline_ns: int | None,  # noqa: ARG002 - no answer is given up for one of its events
        until_ns: int | None = None,
    ) -> Columns:
        """The same, but for a batch whose time is not over at an instant; see ``TimedExecutor``.

        Raises:
            ModelError: it was stopped.
        """
        size = len(next(iter(inputs.values())))
        end_ns = self._clock.now_ns() + self._options.fixed + self._options.per_event * size
        outputs: Columns = {"output": np.zeros((size, 1), np.float32)}
        if self._inner is not None:
            outputs = self._inner.run(inputs)
        stop_ns = end_ns if until_ns is None else min(end_ns, until_ns)
        time.sleep(max(0, stop_ns - self._clock.now_ns()) / NS_PER_S)
        if stop_ns < end_ns:
            text = f"the model {self.info.variant} was stopped: no answer could be in time any more"
            raise ModelError(Reason.STOPPED, text)
        return outputs

    def close(self) -> None:
        """Close the inner one; see ``Executor``."""
        if self._inner is not None:
            self._inner.close()
