"""A Python callable as the model."""

import hashlib
from collections.abc import Awaitable, Mapping

import numpy as np

from streamproc.core import Columns, ModelInfo, UserFunction
from streamproc.executors.threads import BatchThreads


class PythonExecutor:
    """Calls ``predict(inputs)``, which gives arrays by output name, or one array.

    Args:
        function: the user's.
        name: where it is, for the decisions' ``model``.
    """

    def __init__(self, function: UserFunction, *, name: str) -> None:
        self._function = function
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.info = ModelInfo(variant="full", digest=f"name-sha256:{digest}", runs_on=name)
        self.concurrency = 1
        self.inline = True
        self._threads = BatchThreads(self.run, 1)

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        made = self._function(inputs)
        if isinstance(made, Mapping):
            return {name: np.asarray(array) for name, array in made.items()}
        return {"output": np.asarray(made)}

    def submit(self, inputs: Columns) -> Awaitable[Columns]:
        """The same on a thread; see ``Executor``."""
        return self._threads.submit(inputs)

    def close(self) -> None:
        """End the thread; see ``Executor``."""
        self._threads.close()
