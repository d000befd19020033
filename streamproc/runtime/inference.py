"""A batch's way through the model: its variants, and what is done where one fails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from streamproc.core import Clock, Columns, Executor, ModelError, Reason, TimedExecutor, light
from streamproc.engine import Infer, Rescued, rescue, salvage, was_stopped


@light
@dataclass(frozen=True, slots=True)
class Ran:
    """How a batch went.

    Attributes:
        outputs: the model's, or what it raised, or what could be rescued.
        took_ns: how long it took.
        variant: which variant ran, 0 being the best.
        started_ns: when it began.
    """

    outputs: Columns | Exception | Rescued
    took_ns: int
    variant: int
    started_ns: int

    @property
    def executed_ns(self) -> tuple[int, int]:
        """When it began and when it had ended."""
        return self.started_ns, self.started_ns + self.took_ns


def attempt(executors: Sequence[Executor], infer: Infer, clock: Clock) -> Ran:
    """Run a batch once; what is saved of one that was stopped is run once more.

    Args:
        executors: of the model's variants, the best one's first.
        infer: the batch.
        clock: the time.
    """
    started_ns = clock.now_ns()
    variant = infer.variant
    outputs: Columns | Exception | Rescued
    outputs = ModelError(Reason.MODEL_UNAVAILABLE, "there is no variant")
    for variant in _by_choice(infer, len(executors)):
        try:
            outputs = _run(executors[variant], infer)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            outputs = error
        if not (isinstance(outputs, ModelError) and outputs.reason == Reason.MODEL_UNAVAILABLE):
            break
    if isinstance(outputs, ModelError) and was_stopped(outputs):
        outputs, variant = saved(executors, infer, outputs, clock.now_ns())
    return Ran(outputs, clock.now_ns() - started_ns, variant, started_ns)


def saved(
    executors: Sequence[Executor], infer: Infer, error: ModelError, now_ns: int
) -> tuple[Exception | Rescued, int]:
    """What is left of a batch that was stopped, and the variant that answered; see ``salvage``."""
    try:
        return salvage(lambda variant, inputs: executors[variant].run(inputs), infer, error, now_ns)
    except Exception:  # noqa: BLE001 - a model may raise anything
        return error, infer.variant  # there is no time left to look for the events at fault


def try_again(executors: Sequence[Executor], infer: Infer, ran: Ran, clock: Clock) -> Ran:
    """Look for the events at fault in a batch that failed; takes as many runs as that needs."""
    given_up = infer.ladder == 0 or was_stopped(ran.outputs)
    if not isinstance(ran.outputs, Exception) or given_up:
        return ran
    started_ns = clock.now_ns()
    run = executors[ran.variant].run
    rescued = rescue(run, infer.inputs, infer.size, ran.outputs)
    took_ns = ran.took_ns + clock.now_ns() - started_ns
    return Ran(rescued, took_ns, ran.variant, ran.started_ns)


def _run(executor: Executor, infer: Infer) -> Columns:
    # Not by isinstance: against a protocol it looks at each member of the executor, 10 us for each batch.
    if hasattr(type(executor), "run_by"):
        until_ns = None if infer.stop is None else infer.stop.until_ns
        return cast("TimedExecutor", executor).run_by(infer.inputs, infer.deadline_ns, until_ns)
    return executor.run(infer.inputs)


def _by_choice(infer: Infer, count: int) -> Iterator[int]:
    """The variant that is chosen, those that are cheaper, and then those that are better."""
    if infer.alone or infer.ladder == 0:
        yield infer.variant
        return
    yield from range(infer.variant, count if infer.ladder is None else infer.ladder)
    yield from range(infer.variant - 1, -1, -1)
