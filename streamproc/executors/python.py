"""A Python callable as the model."""

import hashlib
from collections.abc import Mapping

import numpy as np

from streamproc.core import Columns, ModelInfo, UserFunction


class PythonExecutor:
    """Calls ``predict(inputs)``, which gives arrays by output name, or one array.

    Args:
        function: the user's.
        name: where it is, for the decisions' ``model``.
        variant: which variant of the model it is.
    """

    def __init__(self, function: UserFunction, *, name: str, variant: str = "full") -> None:
        self._function = function
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.info = ModelInfo(variant=variant, digest=f"name-sha256:{digest}", runs_on=name)
        self.concurrency = 1
        self.inline = True

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        made = self._function(inputs)
        if isinstance(made, Mapping):
            return {name: np.asarray(array) for name, array in made.items()}
        return {"output": np.asarray(made)}

    def close(self) -> None:
        """A function holds nothing; see ``Executor``."""
