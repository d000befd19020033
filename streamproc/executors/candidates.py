"""From the configuration to the executors of a rollout: what stands behind the model's own variants."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from streamproc.core import Clock, ConfigError, Executor, ModelInfo, Problem, TensorSpec
from streamproc.executors.isolated.options import Isolation
from streamproc.executors.load import load_executors, load_isolated, load_variant
from streamproc.executors.options import Model, ModelVariant, Simulated
from streamproc.executors.remote import Remote, RemoteExecutor
from streamproc.executors.rollout_options import Candidate, Rollout

REFERENCE: Final = "reference"
"""The name of the model's own copy that a canary is compared with."""


def load_runners(model: Model, rollout: Rollout | None, clock: Clock) -> tuple[Executor, ...]:
    """All that runs: the model's variants, the best one's first, and behind them the rollout's models.

    See ``runners`` for their order.

    Raises:
        ConfigError: one does not load, or takes or gives something else than the model.
        ExternalError: a process of one does not start.
    """
    executors = list(load_executors(model, clock))
    try:
        for variant, key, isolation, background in _jobs(model, rollout):
            loaded = _load(model, variant, key, clock, isolation, executors[0].info, background)
            executors.append(loaded)
            _check_alike(executors[0], loaded, key)
    except BaseException:
        for executor in executors:
            executor.close()
        raise
    return tuple(executors)


def runners(model: Model, rollout: Rollout | None) -> tuple[ModelVariant, ...]:
    """What runs, in the order of the executors: the ladder, the arms, the canary, its reference, the shadow."""
    return (*model.ladder, *(variant for variant, *_ in _jobs(model, rollout)))


def _jobs(
    model: Model, rollout: Rollout | None
) -> list[tuple[ModelVariant, str, Isolation | None, bool]]:
    """Behind the ladder: the variant, its key, how it is isolated, and whether it is to take spare time only."""
    if rollout is None:
        return []
    found = []
    for path, candidate in rollout.places():
        key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")
        variant, isolation = variant_of(model, candidate), candidate.isolated
        # What is waited for by nobody needs no process that stands by.
        alone = None if isolation is None else replace(isolation, spare=False)
        if candidate is rollout.shadow:
            found.append((variant, key, alone, True))
            continue
        found.append((variant, key, isolation, False))
        if candidate is rollout.canary and rollout.canary.rollback.disagreement is not None:
            # A copy of its own, so that comparing takes no turn of the one that decides.
            best = replace(model.ladder[0], name=REFERENCE)
            found.append((best, key, alone, True))
    return found


def variant_of(model: Model, candidate: Candidate) -> ModelVariant:
    """A candidate with all that it needs to be run."""
    executor = candidate.executor or model.executor
    return ModelVariant(candidate.name, candidate.model_file, executor=executor)


def _load(
    model: Model,
    variant: ModelVariant,
    key: str,
    clock: Clock,
    isolation: Isolation | None,
    expected: ModelInfo,
    background: bool,  # noqa: FBT001 - of a row of ``_jobs``
) -> Executor:
    if isinstance(variant.executor, Remote):
        return RemoteExecutor(
            variant.executor, clock=clock, variant=variant.name, expected=expected, key=key
        )
    # A manifest or a signature that is named is the model's own; a candidate's lie beside it.
    rules = replace(model.rules, manifest=None)
    if isolation is None or isinstance(variant.executor, Simulated):
        return load_variant(variant, key, clock, rules)
    return load_isolated(variant, key, clock, rules, isolation, background=background)


def _check_alike(first: Executor, other: Executor, key: str) -> None:
    """See that a candidate takes and gives what the model does, and as many batches at a time."""
    mine, its = first.info, other.info
    for what, wanted, had in (
        ("takes", mine.inputs, its.inputs),
        ("gives", mine.outputs, its.outputs),
    ):
        if wanted and had and wanted != had:
            text = f"{its.variant!r} {what} {_words(had)}, but the model {what} {_words(wanted)}"
            raise ConfigError(Problem(text, f"{key}.path"))
    if other.concurrency < first.concurrency:
        text = f"{its.variant!r} runs {other.concurrency} batches at a time, the model {first.concurrency}"
        raise ConfigError(Problem(text, f"{key}.executor"))


def _words(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(
        f"{s.name} {s.dtype}[{', '.join('?' if n is None else str(n) for n in ('n', *s.shape))}]"
        for s in specs
    )
