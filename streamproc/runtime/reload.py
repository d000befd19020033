"""Another model, or other scheduling, while the pipeline runs: made aside, seen to fit, and put in between two batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from streamproc.codecs import DecisionEncoder
from streamproc.config import PipelineConfig, choice_of_kind
from streamproc.core import (
    Clock,
    ConfigError,
    Duration,
    Executor,
    ModelInfo,
    Problem,
    TensorSpec,
)
from streamproc.engine import Engine
from streamproc.executors import Model, Rollout, load_runners, runners, sweep
from streamproc.runtime.assembly import make_decider
from streamproc.runtime.codecs import make_encoder
from streamproc.runtime.credentials import with_secrets_of, without_secrets
from streamproc.runtime.rollout import rollout_plan
from streamproc.runtime.scheduling import lane_budgets_ns, make_accounts, reload_options
from streamproc.scheduling import Conflate, LatencyModel, SkipAhead, Utility, shed_policies
from streamproc.slo import latencies_ns

RELOADED = ("model", "rollout", "batching", "shed", "lanes", "slo")
"""The keys that a reload may change, some of them in part; besides them the secrets of ``credentials``."""
_NESTED = ("source", "sink", "telemetry")
_ADVICE = "a reload cannot change it: restart, or put it back"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is ready to be put in.

    Attributes:
        config: the pipeline from then on.
        executors: of all that runs; see ``executors.runners`` for their order.
        compute: how long each of them computes, as measured, for the driver.
        latency: the same for the scheduler.
        encoders: of decisions, by variant.
        room: the largest batch.
    """

    config: PipelineConfig
    executors: tuple[Executor, ...]
    compute: tuple[LatencyModel, ...]
    latency: tuple[LatencyModel, ...]
    encoders: tuple[DecisionEncoder, ...]
    room: int

    @classmethod
    def of_the_same(
        cls,
        config: PipelineConfig,
        executors: tuple[Executor, ...],
        compute: tuple[LatencyModel, ...],
        latency: tuple[LatencyModel, ...],
    ) -> "Prepared":
        """Other options for the model that runs, which keeps what was learned of it."""
        models = [executor.info for executor in executors]
        encoders = tuple(make_encoder(config, model) for model in models)
        return cls(config, executors, compute, latency, encoders, _room(config, models))

    def put_into(self, engine: Engine, words: str) -> None:
        """Let the engine go on with it; the words say what is new."""
        models = [executor.info for executor in self.executors]
        engine.reload(
            reload_options(self.config, self.latency[: len(self.config.model.ladder)]),
            encoders=self.encoders,
            lane_budgets_ns=lane_budgets_ns(self.config),
            batch_room=self.room,
            rollout=rollout_plan(self.config, models, self.latency),
            words=words,
        )


def check_reload(before: PipelineConfig, after: PipelineConfig) -> None:
    """Refuse what a reload cannot change.

    Raises:
        ConfigError: all of it, by key.
    """
    problems = [Problem(_ADVICE, key) for key in _changed(before, after)]
    if before.model.inputs != after.model.inputs:
        problems.append(Problem(_ADVICE, "model.inputs"))
    if before.model.state != after.model.state:
        problems.append(Problem(_ADVICE, "model.state"))
    if _cascade_of(before) != _cascade_of(after):
        problems.append(Problem(_ADVICE, "model.cascade"))
    if before.batching.cost != after.batching.cost:
        problems.append(Problem(_ADVICE, "batching.cost"))
    problems += [
        Problem(f"{kind.__name__}: {_ADVICE}", "shed")
        for kind in (Conflate, Utility, SkipAhead)
        if _of(before, kind) != _of(after, kind)
    ]
    # What is only a budget or a share may change: the events that wait are sorted by the rest.
    plain = [
        [replace(lane, budget=None, share=0.0) for lane in config.lanes]
        for config in (before, after)
    ]
    if plain[0] != plain[1]:
        problems.append(Problem(f"but for budget and share {_ADVICE}", "lanes"))
    bounds_ns = make_accounts(before).e2e.bounds_ns
    problems += [
        Problem(
            f"{Duration(ns)} is no bucket boundary of the histograms that run: {_ADVICE}", "slo"
        )
        for ns in sorted(latencies_ns(after.slo) - set(bounds_ns))
    ]
    if problems:
        raise ConfigError(*problems)


def _cascade_of(config: PipelineConfig) -> object:
    """A cascade, and what its stages are counted in."""
    if config.model.cascade is None:
        return None
    return config.model.cascade, [variant.name for variant in config.model.ladder]


def _changed(before: PipelineConfig, after: PipelineConfig) -> Iterator[str]:
    """The keys that a reload does not take and that have changed: of ends and telemetry the very key, of the rest the first one."""
    old, new = without_secrets(before), without_secrets(after)
    for name in (field.name for field in fields(PipelineConfig)):
        mine, other = getattr(old, name), getattr(new, name)
        if name in RELOADED or mine == other:
            continue
        if name not in _NESTED or type(mine) is not type(other):
            yield name
            continue
        kind = next((k for k, t in choice_of_kind(type(mine)).items() if t is type(mine)), None)
        path = name if kind is None else f"{name}.{kind}"
        for inner in fields(mine):
            if getattr(mine, inner.name) != getattr(other, inner.name):
                yield f"{path}.{inner.name}"


def reloaded(before: PipelineConfig, after: PipelineConfig) -> PipelineConfig:
    """A configuration with what a reload changes taken from another one."""
    taken = replace(before, **{key: getattr(after, key) for key in RELOADED})
    return with_secrets_of(taken, after)


def prepare(config: PipelineConfig, running: Sequence[Executor], clock: Clock) -> Prepared:
    """Load and warm a model aside; takes as long as that does, on a thread.

    Args:
        config: what is wanted.
        running: the executors that run now.
        clock: the time.

    Raises:
        ConfigError: it does not load, does not answer its golden inputs, or is another kind of model.
    """
    executors = load_runners(config.model, config.rollout, clock)
    try:
        models = [executor.info for executor in executors]
        _check_alike(running[0].info, models[0])
        slots = [min(executor.concurrency for executor in some) for some in (running, executors)]
        if slots[0] != slots[1]:
            text = f"concurrency was {slots[0]} and would be {slots[1]}: {_ADVICE}"
            raise ConfigError(Problem(text, "model.executor"))  # noqa: TRY301 - the executors must be closed
        make_decider(config, models)
        room = _room(config, models)
        swept = [sweep(executor, size_max=room, clock=clock) for executor in executors]
        return Prepared(
            config,
            executors,
            compute=tuple(LatencyModel(*measured, size_max=room) for measured in swept),
            latency=tuple(LatencyModel(*measured, size_max=room) for measured in swept),
            encoders=tuple(make_encoder(config, model) for model in models),
            room=room,
        )
    except BaseException:
        for executor in executors:
            executor.close()
        raise


def _room(config: PipelineConfig, models: Sequence[ModelInfo]) -> int:
    """The largest batch that all variants take."""
    return min(config.batching.max_size, *(m.batch_max or config.batching.max_size for m in models))


def words_of(before: Sequence[ModelInfo], after: Sequence[ModelInfo]) -> str:
    """What changed of the model, for people."""
    old: Mapping[str, str] = {model.variant: model.digest for model in before}
    changed = [
        f"{model.variant} {old.get(model.variant, 'new')} -> {model.digest}"
        for model in after
        if old.get(model.variant) != model.digest
    ]
    return ", ".join(changed) or "the same model"


def files_of(model: Model, rollout: Rollout | None = None) -> tuple[str, ...]:
    """The files that a watch looks at; of a repository those of the version that is meant now."""
    try:
        paths: list[str | None] = [file for one in runners(model, rollout) for file in one.files]
    except ConfigError:  # such as a version that is being taken away: it is looked at again
        return ()
    if model.signature is not None:
        signed = [Path(path) for path in paths if path is not None]
        paths += [str(model.signature.beside(path)) for path in signed]
        paths += model.signature.trusted
    paths += [model.manifest, model.golden.path if model.golden else None, *model.custom_ops]
    paths += [model.agreement.path if model.agreement else None]
    return tuple(dict.fromkeys(path for path in paths if path is not None))


def _of(config: PipelineConfig, kind: type) -> list[object]:
    return [policy for policy in shed_policies(config.shed) if isinstance(policy, kind)]


def _check_alike(before: ModelInfo, after: ModelInfo) -> None:
    """The features are made for the model that ran: another one has to take and give the same."""
    for what, old, new in (
        ("takes", before.inputs, after.inputs),
        ("gives", before.outputs, after.outputs),
    ):
        if old != new:
            text = f"the new model {what} {_shapes(new)}, the running one {_shapes(old)}: {_ADVICE}"
            raise ConfigError(Problem(text, "model.path"))
    if before.state != after.state:
        text = f"the new model carries {list(after.state)}, the running one {list(before.state)}: {_ADVICE}"
        raise ConfigError(Problem(text, "model.path"))


def _shapes(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(
        f"{s.name} {s.dtype}[{', '.join('?' if n is None else str(n) for n in ('n', *s.shape))}]"
        for s in specs
    )
