"""What a user can set of a model that carries state from each event of a key to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamproc.core import Duration, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """State that a model carries from each event of a key to the next: its outputs wired to its inputs.

    Attributes:
        inputs: the model's output by the model's input that takes it with the key's next event, such as
            ``{state: stateN}``. A key begins with zeros.
        batch_axis: by input, which axis of it is the batch, where the file does not show it; 0 is the first.
        ttl: a key that has no event for longer than this, by its partition's event time, begins anew; null never
            forgets a key for its age.
        max_keys: keys remembered at once; where there are more, those not seen for longest begin anew, and
            ``streamproc_model_state_evicted_total`` counts them.
        max_bytes: memory for the state of all keys; ``max_keys`` is lowered to what fits.
        on_gap: what becomes of a key's state when an event of it was shed, or the model failed on it: ``keep`` leaves it
            as it was before that event, ``reset`` begins anew.
        restore: ``rewind`` reads again what came within ``remembers`` when a partition is assigned, and runs the model
            over it without deciding; ``none`` begins with nothing.
        remembers: how far back in time that goes. What a key carried from before is not restored.
    """

    inputs: Mapping[str, str]
    batch_axis: Mapping[str, int] = field(default_factory=dict)
    ttl: Duration | None = None
    max_keys: int = 100_000
    max_bytes: Size = Size.parse("1GiB")  # noqa: RUF009 - immutable
    on_gap: Literal["keep", "reset"] = "keep"
    restore: Literal["rewind", "none"] = "rewind"
    remembers: Duration | None = None

    def __post_init__(self) -> None:
        if not self.inputs:
            msg = "inputs is empty: name an input of the model and the output that it takes, such as {state: stateN}"
            raise ValueError(msg)
        outputs = list(self.inputs.values())
        for output in outputs:
            if outputs.count(output) > 1:
                msg = f"inputs: {output!r} is wired to several inputs; keep one"
                raise ValueError(msg)
        for name in self.batch_axis:
            if name not in self.inputs:
                msg = f"batch_axis names {name!r}, which is not among the inputs"
                raise ValueError(msg)
        if self.max_keys < 1:
            msg = f"max_keys must be at least 1, was {self.max_keys}"
            raise ValueError(msg)
        for name in ("ttl", "remembers"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                msg = f"{name} must be above 0, was {value}"
                raise ValueError(msg)
        self._check_restore()

    def _check_restore(self) -> None:
        if self.restore == "rewind" and self.remembers is None:
            msg = "remembers is missing: how far back events are run again after a restart, such as 30s; or write restore: none"
            raise ValueError(msg)
        if self.restore == "none" and self.remembers is not None:
            msg = "remembers must not stand beside restore: none, which reads nothing again: remove one of them"
            raise ValueError(msg)
