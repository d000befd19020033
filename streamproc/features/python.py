"""The user's own feature function."""

from collections.abc import Mapping, Sequence

from streamproc.core import Columns, EventBatch, TensorSpec, UserFunction
from streamproc.features.inputs import fit


class PythonFeatures:
    """Calls ``function(batch, **options)``, which gives float32 [n, d], or arrays by input name.

    Args:
        function: the user's.
        options: keyword arguments for it.
        inputs: what the model takes; empty where it does not say.
    """

    def __init__(
        self,
        function: UserFunction,
        *,
        options: Mapping[str, object],
        inputs: Sequence[TensorSpec],
    ) -> None:
        self._function = function
        self._options = dict(options)
        self._inputs = {spec.name: spec for spec in inputs}

    def build(self, events: EventBatch) -> Columns:
        """The inputs by name; see ``Features``."""
        made = self._function(events, **self._options)
        if not isinstance(made, Mapping):
            names = list(self._inputs) or ["input"]
            if len(names) > 1:
                msg = (
                    f"the model takes {', '.join(names)}: return a mapping of arrays by these names"
                )
                raise ValueError(msg)
            made = {names[0]: made}
        missing = self._inputs.keys() - made.keys()
        if missing:
            msg = (
                f"the feature function gave no {', '.join(sorted(missing))}, which the model takes"
            )
            raise ValueError(msg)
        return {
            name: fit(name, value, self._inputs.get(name), len(events))
            for name, value in made.items()
            if name in self._inputs or not self._inputs
        }
