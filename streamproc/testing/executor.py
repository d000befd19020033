"""An executor whose answers and whose time are the test's."""

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from streamproc.core import (
    NS_PER_MS,
    Array,
    Columns,
    Executor,
    ModelInfo,
    TensorSpec,
    VirtualClock,
)

Answer = Callable[[Columns], "Columns | Array"]
"""A model as a function: inputs by name, each [n, ...], to outputs by name or to one array."""

ANY_VECTOR = (TensorSpec("input", "float32", (None,)),)
"""What a fake model takes unless it is told: one matrix [n, d] of any width."""


def echo(inputs: Columns) -> Columns:
    """The default model: its first input is its output."""
    return {"output": next(iter(inputs.values()))}


class FakeExecutor:
    """Answers with a function of the inputs; implements ``core.Executor``.

    Args:
        function: the model; gives back its first input by default. It may raise.
        fixed_ns: what a batch costs in virtual time.
        per_event_ns: what each event adds.
        concurrency: how many batches may run at the same time.
        inline: False where it must not run on the event loop.
        inputs: what it says that it takes; empty where it does not say.
        outputs: what it says that it gives.
        batch_max: its largest batch; None for no limit.
        variant: which variant of the model it stands for.
        clock: is moved on by each batch's cost; None leaves time alone (``PipelineTest`` keeps the time).

    Attributes:
        sizes: the sizes of the batches that it was given, warm-up included.
        stopped: batches that were stopped because they took too long.
        closed: True after ``close``.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a test may want otherwise
        self,
        function: Answer = echo,
        *,
        fixed_ns: int = NS_PER_MS,
        per_event_ns: int = 0,
        concurrency: int = 1,
        inline: bool = True,
        inputs: Sequence[TensorSpec] = ANY_VECTOR,
        outputs: Sequence[TensorSpec] = (),
        batch_max: int | None = None,
        variant: str = "full",
        clock: VirtualClock | None = None,
    ) -> None:
        self._function = function
        self._fixed_ns = fixed_ns
        self._per_event_ns = per_event_ns
        self._clock = clock
        self._errors: list[Exception] = []
        self.concurrency = concurrency
        self.inline = inline
        self.info = ModelInfo(
            variant=variant,
            digest="sha256:000000000000",
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            batch_max=batch_max,
            runs_on="fake",
        )
        self.sizes: list[int] = []
        self.stopped = 0
        self.closed = False

    @classmethod
    def around(cls, executor: Executor, *, fixed_ns: int, per_event_ns: int) -> Self:
        """Another executor's answers at the test's cost."""
        fake = cls(
            executor.run,
            fixed_ns=fixed_ns,
            per_event_ns=per_event_ns,
            concurrency=executor.concurrency,
            inline=executor.inline,
        )
        fake.info = executor.info
        return fake

    def cost_ns(self, size: int) -> int:
        """What a batch of so many events costs in virtual time."""
        return self._fixed_ns + self._per_event_ns * size

    def slow_down(self, *, fixed_ns: int, per_event_ns: int = 0) -> None:
        """Cost something else from now on."""
        self._fixed_ns, self._per_event_ns = fixed_ns, per_event_ns

    def fail(self, error: Exception | None = None, *, runs: int = 1) -> None:
        """Raise in the next runs."""
        self._errors += [error or RuntimeError("the model failed on demand")] * runs

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        size = len(next(iter(inputs.values())))
        self.sizes.append(size)
        if self._clock is not None:
            self._clock.advance(self.cost_ns(size))
        if self._errors:
            raise self._errors.pop(0)
        made = self._function(inputs)
        return {"output": np.asarray(made)} if not isinstance(made, dict) else made

    def close(self) -> None:
        """Note that it was closed; see ``Executor``."""
        self.closed = True
