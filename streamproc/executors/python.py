"""A Python callable as the model."""

import hashlib
import time
from collections.abc import Mapping

import numpy as np

from streamproc.core import Columns, ModelInfo, TransientError, UserFunction


class PythonExecutor:
    """Calls ``predict(inputs)``, which gives arrays by output name, or one array.

    Args:
        function: the user's.
        name: where it is, for the decisions' ``model``.
        variant: which variant of the model it is.
        retries: how often a batch is tried again whose failure may pass.
        pause_s: before each further try.
    """

    def __init__(
        self,
        function: UserFunction,
        *,
        name: str,
        variant: str = "full",
        retries: int = 0,
        pause_s: float = 0.0,
    ) -> None:
        self._function = function
        self._retries = retries
        self._pause_s = pause_s
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.info = ModelInfo(variant=variant, digest=f"name-sha256:{digest}", runs_on=name)
        self.concurrency = 1
        self.inline = not pause_s  # the event loop must not wait for it

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        made = self._tried(inputs)
        if isinstance(made, Mapping):
            return {name: np.asarray(array) for name, array in made.items()}
        return {"output": np.asarray(made)}

    def _tried(self, inputs: Columns) -> object:
        for _ in range(self._retries):
            try:
                return self._function(inputs)
            except (TransientError, OSError):
                if self._pause_s:
                    time.sleep(self._pause_s)
        return self._function(inputs)

    def close(self) -> None:
        """A function holds nothing; see ``Executor``."""
