"""What stands in for the parts of a pipeline under test: its clock while it is measured, its executors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from streamproc.config import LoadedConfig, PipelineConfig, check, load
from streamproc.core import (
    NS_PER_MS,
    Columns,
    Executor,
    ModelError,
    ModelInfo,
    Reason,
    VirtualClock,
)
from streamproc.engine import Infer, Rescued, rescue
from streamproc.executors import (
    Model,
    ModelVariant,
    OnnxRuntime,
    Rollout,
    Simulated,
    load_executors,
    runners,
)
from streamproc.runtime import Pipeline, saved
from streamproc.testing.executor import FakeExecutor

REAL_MODEL_FIXED_NS = NS_PER_MS
REAL_MODEL_PER_EVENT_NS = 10_000
"""What a batch of the configuration's own model costs in virtual time: 1 ms, and 10 us an event."""


class Hands:
    """A clock whose hands are changed once: the model's measurement must not use up the test's time."""

    def __init__(self) -> None:
        self.clock = VirtualClock()

    def now_ns(self) -> int:
        """The present instant."""
        return self.clock.now_ns()


class WarmUp:
    """Stands for the executor while the model is measured: costs the same, asks nothing of the function."""

    def __init__(self, executor: FakeExecutor, clock: VirtualClock) -> None:
        self._executor = executor
        self._clock = clock
        self.concurrency = executor.concurrency
        self.inline = executor.inline

    @property
    def info(self) -> ModelInfo:
        """What model it is."""
        return self._executor.info

    def run(self, inputs: Columns) -> Columns:
        """Let the time pass."""
        self._clock.advance(self._executor.cost_ns(len(next(iter(inputs.values())))))
        return {}

    def close(self) -> None:
        """Nothing is held."""


def config_of(pipeline: PipelineConfig | LoadedConfig | str | Path) -> PipelineConfig:
    """The configuration, loaded and checked.

    Raises:
        ConfigError: it is wrong.
    """
    if isinstance(pipeline, str | Path):
        pipeline = load(pipeline)
    if isinstance(pipeline, LoadedConfig):
        return Pipeline.from_file(pipeline)
    check(pipeline)
    return pipeline


def fakes_for(
    executor: Executor | Sequence[Executor] | None, model: Model, rollout: Rollout | None = None
) -> tuple[FakeExecutor, ...]:
    """What answers for each variant of the model, the best one's first, and for the models of a rollout behind them."""
    if executor is not None:
        given = tuple(executor) if isinstance(executor, Sequence) else (executor,)
        return tuple(map(_fake, given))
    # In this process, whatever it says: time is virtual here.
    here = replace(model, isolation=False, golden=None, agreement=None, repository=None)
    return tuple(_fake_variant(here, variant) for variant in runners(model, rollout))


def _fake(executor: Executor) -> FakeExecutor:
    if isinstance(executor, FakeExecutor):
        return executor
    return FakeExecutor.around(
        executor, fixed_ns=REAL_MODEL_FIXED_NS, per_event_ns=REAL_MODEL_PER_EVENT_NS
    )


def _fake_variant(model: Model, variant: ModelVariant) -> FakeExecutor:
    """A variant's own answers; at what it says that it costs where it is ``simulated``."""
    options = variant.executor
    if isinstance(options, Simulated):
        fixed_ns, per_event_ns = int(options.fixed), int(options.per_event)
        if not variant.files:
            return FakeExecutor(
                _zeros, fixed_ns=fixed_ns, per_event_ns=per_event_ns, variant=variant.name
            )
        (inner,) = load_executors(
            replace(
                model,
                path=None,
                chain=(),
                executor=OnnxRuntime(),
                variants=(replace(variant, executor=None),),
            ),
            VirtualClock(),
        )
        return FakeExecutor.around(inner, fixed_ns=fixed_ns, per_event_ns=per_event_ns)
    (inner,) = load_executors(
        replace(model, path=None, chain=(), variants=(variant,)), VirtualClock()
    )
    return _fake(inner)


def answer_of(executor: FakeExecutor, infer: Infer) -> Columns | Rescued | Exception:
    """A batch's outputs; where it fails the events at fault are looked for, as by the service."""
    try:
        return executor.run(infer.inputs)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        if infer.ladder == 0:
            return error
        return rescue(executor.run, infer.inputs, infer.size, error)


def answer_to(
    executors: Sequence[FakeExecutor], infer: Infer, now_ns: int
) -> tuple[Columns | Rescued | Exception, int, int]:
    """A batch's outputs, how long it took (ns), and the variant that answered; one that takes too long is stopped."""
    executor, stop = executors[infer.variant], infer.stop
    took_ns = executor.cost_ns(infer.size)
    if stop is None or now_ns + took_ns <= stop.until_ns:
        return answer_of(executor, infer), took_ns, infer.variant
    executor.stopped += 1
    stopped = ModelError(Reason.STOPPED, "no answer could be in time any more")
    at_ns = max(stop.until_ns, now_ns)
    outputs, variant = saved(executors, infer, stopped, at_ns)
    took_ns = at_ns - now_ns
    if isinstance(outputs, Rescued):
        took_ns += executors[variant].cost_ns(infer.size)
    return outputs, took_ns, variant


def _zeros(inputs: Columns) -> Columns:
    return {"output": np.zeros((len(next(iter(inputs.values()))), 1), np.float32)}
