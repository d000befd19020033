"""Several models in a row, which are one model to whoever runs them: what one gives the next ones take.

A session for each file, and not one graph of all: files may be of different operator sets, run on different devices, and be
too large to be built in memory. ``tests/benchmarks/chain_seam.py`` measures what that costs.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from streamproc.core import (
    Clock,
    Columns,
    ConfigError,
    Executor,
    ModelError,
    ModelInfo,
    Problem,
    Reason,
    TensorSpec,
    TimedExecutor,
)
from streamproc.executors.blank import blank
from streamproc.executors.chain_options import ChainStage
from streamproc.executors.models import Rules, look_at
from streamproc.executors.options import ModelVariant

_TRIED_ROWS = 2
"""More than one, so that a stage that makes one row of several is found out."""


class _Stage(NamedTuple):
    """A model of the chain: its own names beside the tensors'."""

    executor: Executor
    takes: Mapping[str, str]
    gives: Mapping[str, str]
    key: str


class ChainExecutor:
    """Runs models one after the other over the same batch; implements ``core.TimedExecutor``.

    Args:
        stages: how they are wired.
        executors: what runs each of them.
        clock: the time, to stop between two stages.
        variant: which variant of the model it is.
        key: where the chain stands in the configuration.

    Raises:
        ConfigError: a stage has no such input or output, or what it takes is not what a stage before it gives.
    """

    def __init__(
        self,
        stages: Sequence[ChainStage],
        executors: Sequence[Executor],
        *,
        clock: Clock,
        variant: str = "full",
        key: str = "model.chain",
    ) -> None:
        self._clock = clock
        self._stages = [
            _stage(stage, executor, f"{key}[{place}]")
            for place, (stage, executor) in enumerate(zip(stages, executors, strict=True))
        ]
        inputs = _wired(self._stages)
        infos = [executor.info for executor in executors]
        digests = tuple(info.digest for info in infos)
        self._inputs = tuple(spec.name for spec in inputs)
        last = self._stages[-1]
        self._outputs = tuple(last.gives.values())
        self.info = ModelInfo(
            variant=variant,
            digest=chain_digest(digests),
            inputs=inputs,
            outputs=tuple(replace(s, name=last.gives[s.name]) for s in last.executor.info.outputs),
            batch_max=min((info.batch_max for info in infos if info.batch_max), default=None),
            runs_on=", ".join(dict.fromkeys(info.runs_on for info in infos)),
            stages=digests,
        )
        self.concurrency = min(executor.concurrency for executor in executors)
        self.inline = all(executor.inline for executor in executors)
        self._try()

    @property
    def parts(self) -> tuple[Executor, ...]:
        """What runs each stage."""
        return tuple(stage.executor for stage in self._stages)

    def run(self, inputs: Columns) -> Columns:
        """The last stage's outputs for a batch; see ``Executor``."""
        return self.run_by(inputs, None)

    def run_by(
        self,
        inputs: Columns,
        deadline_ns: int | None,  # noqa: ARG002 - no answer is given up for one of its events
        until_ns: int | None = None,
    ) -> Columns:
        """The same, but for a batch that is stopped at an instant; see ``TimedExecutor``.

        A stage that cannot be stopped runs to its end, and none is begun after that instant.

        Raises:
            ModelError: it was stopped.
        """
        tensors = dict(inputs)
        for place, (executor, takes, gives, _) in enumerate(self._stages):
            taken = {name: tensors[tensor] for name, tensor in takes.items()}
            if until_ns is None:
                made = executor.run(taken)
            elif place and self._clock.now_ns() >= until_ns:
                text = f"the model {self.info.variant} was stopped: no answer could be in time any more"
                raise ModelError(Reason.STOPPED, text)
            elif isinstance(executor, TimedExecutor):
                made = executor.run_by(taken, None, until_ns)
            else:
                made = executor.run(taken)
            tensors |= {tensor: made[name] for name, tensor in gives.items()}
        return {name: tensors[name] for name in self._outputs}

    def close(self) -> None:
        """Close all stages; see ``Executor``."""
        for stage in self._stages:
            stage.executor.close()

    def _try(self) -> None:
        """Run the chain once: what files do not say of their outputs is seen there."""
        rows = min(_TRIED_ROWS, self.info.batch_max or _TRIED_ROWS)
        tensors = dict(blank(self.info, rows))
        for executor, takes, gives, key in self._stages:
            try:
                made = executor.run({name: tensors[tensor] for name, tensor in takes.items()})
            except Exception as error:  # a model may raise anything
                text = f"fails on what it is given in the chain: {str(error).splitlines()[0]}"
                raise ConfigError(Problem(text, f"{key}.path")) from error
            for name, tensor in gives.items():
                array = made[name]
                if not array.ndim or len(array) != rows:
                    text = (
                        f"of {rows} events {name!r} has the shape {list(array.shape)}: "
                        "what the stages hand on has one row an event"
                    )
                    raise ConfigError(Problem(text, f"{key}.path"))
                tensors[tensor] = array


def digest_of(variant: ModelVariant, rules: Rules) -> str | None:
    """What ``ModelInfo.digest`` is of a variant's files as they are now; None where it has none.

    Raises:
        ConfigError: they are not what they must be.
    """
    found = [look_at(path, rules).digest for path in variant.files]
    if variant.chain:
        return chain_digest(found)
    return found[0] if found else None


def chain_digest(digests: Sequence[str]) -> str:
    """``sha256:`` and twelve hex digits for those of the stages, in their order."""
    return f"sha256:{hashlib.sha256(chr(10).join(digests).encode()).hexdigest()[:12]}"


def _stage(stage: ChainStage, executor: Executor, key: str) -> _Stage:
    """A stage with all of its names; only those that the events or other stages fill."""
    info = executor.info
    takes = {spec.name: stage.inputs.get(spec.name, spec.name) for spec in info.inputs}
    gives = {spec.name: stage.outputs.get(spec.name, spec.name) for spec in info.outputs}
    for where, written, there in (
        ("inputs", stage.inputs, takes),
        ("outputs", stage.outputs, gives),
    ):
        for name in written:
            if name not in there:
                what = where.removesuffix("s")
                text = f"{stage.path} has no {what} {name!r}: it has {', '.join(there)}"
                raise ConfigError(Problem(text, f"{key}.{where}.{name}"))
    return _Stage(executor, takes, gives, key)


def _wired(stages: Sequence[_Stage]) -> tuple[TensorSpec, ...]:
    """Hold all stages against one another; gives what the events have to fill.

    Raises:
        ConfigError: they do not fit.
    """
    asked: dict[str, TensorSpec] = {}
    given: dict[str, tuple[TensorSpec, str]] = {}
    taken: set[str] = set()
    for stage in stages:
        for spec in stage.executor.info.inputs:
            tensor = stage.takes[spec.name]
            taken.add(tensor)
            key = f"{stage.key}.inputs.{spec.name}"
            if tensor in given:
                _check_fits(given[tensor], spec, tensor, key)
            else:
                asked[tensor] = _both(asked.get(tensor), replace(spec, name=tensor), key)
        for spec in stage.executor.info.outputs:
            tensor = stage.gives[spec.name]
            if tensor in given or tensor in asked:
                by = given[tensor][1] if tensor in given else "the events"
                text = (
                    f"{tensor!r} is given by {by} already: a tensor has one name in the whole chain; write "
                    f"outputs: {{{spec.name}: another name}}"
                )
                raise ConfigError(Problem(text, f"{stage.key}.outputs.{spec.name}"))
            given[tensor] = (spec, stage.key)
    for stage in stages[:-1]:
        if taken.isdisjoint(stage.gives.values()):
            text = (
                f"no stage takes what this one gives ({', '.join(stage.gives.values())}): in a stage behind it, write "
                f"inputs: {{its input: {next(iter(stage.gives.values()), 'a tensor')}}}"
            )
            raise ConfigError(Problem(text, stage.key))
    return tuple(asked.values())


def _check_fits(given: tuple[TensorSpec, str], spec: TensorSpec, tensor: str, key: str) -> None:
    """See that what a stage gives is what another takes, as far as the files say it."""
    made, by = given
    if made.dtype == spec.dtype and _fit(made.shape, spec.shape):
        return
    text = f"{tensor!r} is {_words(made)}, as {by} gives it, but {spec.name!r} takes {_words(spec)}"
    raise ConfigError(Problem(text, key))


def _both(before: TensorSpec | None, spec: TensorSpec, key: str) -> TensorSpec:
    """What the events have to fill for two stages that take the same of them."""
    if before is None:
        return spec
    alike = before.dtype == spec.dtype and len(before.shape) == len(spec.shape)
    if not alike or not _fit(before.shape, spec.shape):
        text = f"{spec.name!r} is taken as {_words(before)} by a stage before, and as {_words(spec)} here"
        raise ConfigError(Problem(text, key))
    pairs = zip(before.shape, spec.shape, strict=True)
    return replace(spec, shape=tuple(a if b is None else b for a, b in pairs))


def _fit(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Whether sizes may be the same; a file that says none of an output's sizes is seen when it is tried."""
    if not one:
        return True
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def _words(spec: TensorSpec) -> str:
    return f"{spec.dtype}[{', '.join(_sizes(spec))}]"


def _sizes(spec: TensorSpec) -> Iterator[str]:
    yield "n"
    yield from ("?" if size is None else str(size) for size in spec.shape)
