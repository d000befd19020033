"""What answers in a replay, and how long it is taken to need: recorded, saved, pretended or measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.connectors.capture import CaptureReader
from streamproc.core import NS_PER_MS, ConfigError, Executor, Int64Array, Problem, SystemClock
from streamproc.executors import Model, ModelVariant, Simulated, load_executors, runners, sweep
from streamproc.replay.playback.machine import ReplayMachine, Silent
from streamproc.replay.playback.of_capture import recorded_sends_ns, recorded_sweeps, schedule_of
from streamproc.runtime import Sweep
from streamproc.scheduling import LatencyModel

Config = TypeVar("Config", bound=PipelineConfig)

ASSUMED_SEND_NS: Final = NS_PER_MS
"""Where the recording does not tell how long sending took."""


def answering(config: PipelineConfig, *, outputs: bool = True) -> tuple[Executor, ...]:
    """What answers for each variant of the model, the best one's first; none of them waits.

    Args:
        config: the pipeline.
        outputs: False where the answers do not matter: they are zeros of their shape, and cost nothing.

    Raises:
        ConfigError: the model does not load.
    """
    ladder = runners(config.model, config.rollout)
    # A pretended device gives its model's outputs; its time is the latency model's to tell. All stay in this order.
    real = tuple(
        replace(variant, executor=None, quality=1.0)
        if isinstance(variant.executor, Simulated) and variant.files
        else replace(variant, quality=1.0)
        for variant in ladder
    )
    model = config.model
    wired = Model(variants=real, constants=model.constants, shapes=model.shapes, state=model.state)
    loaded = load_executors(wired, SystemClock())
    columns = len(getattr(config.output, "labels", ()))
    found: list[Executor] = []
    for variant, executor in zip(ladder, loaded, strict=True):
        if outputs and (variant.files or not isinstance(variant.executor, Simulated)):
            found.append(executor)
        else:
            executor.close()
            found.append(Silent.of(executor, columns=columns))
    return tuple(found)


def without_transactions(config: Config) -> Config:
    """The pipeline where there is no broker: what it decides is the same, and final when it is acknowledged."""
    outcomes, state = replace(config.outcomes, ledger_topic=None), config.state
    if state.changelog is not None:
        state = replace(state, changelog=None, restore="none")
    return replace(config, delivery="at_least_once", outcomes=outcomes, state=state)


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the times of a replay come from.

    Attributes:
        machine: the times.
        origins: by variant: a file, ``simulated``, ``recorded`` or ``measured``.
        send_origin: ``recorded``, ``given`` or ``assumed``.
    """

    machine: ReplayMachine
    origins: Mapping[str, str]
    send_origin: str

    @property
    def measured(self) -> bool:
        """Whether any was measured just now, so that another replay would have others."""
        return "measured" in self.origins.values()


def timing(
    config: PipelineConfig,
    executors: Sequence[Executor],
    capture: CaptureReader | None,
    *,
    saved: Mapping[str, Path] | None = None,
    send_ns: int | None = None,
    jitter: float = 0.0,
) -> Timing:
    """Settle how long everything takes.

    Of each variant: a latency model that was saved; else, of a pretended device, what it says; else what the
    recording tells, if it was this very model that ran; else it is measured here and now.

    Args:
        config: the pipeline.
        executors: what answers.
        capture: the recording; None for none.
        saved: latency models by variant.
        send_ns: how long a sending takes; None takes what was recorded.
        jitter: see ``ReplayMachine``.

    Raises:
        ConfigError: a latency model cannot be read.
    """
    saved = saved or {}
    known = {} if capture is None else _recorded(capture)
    sweeps: list[Sweep] = []
    origins: dict[str, str] = {}
    for variant, executor in zip(runners(config.model, config.rollout), executors, strict=True):
        told, origins[variant.name] = _sweep(
            variant, executor, known, saved, size_max=config.batching.max_size
        )
        sweeps.append(told)
    sends: Int64Array | None = None
    if send_ns is not None:
        sends, send_origin = np.array([send_ns]), "given"
    else:
        sends = None if capture is None else recorded_sends_ns(capture)
        send_origin = "recorded"
        if sends is None:
            sends, send_origin = np.array([ASSUMED_SEND_NS]), "assumed"
    machine = ReplayMachine(sweeps=sweeps, send_ns=sends, jitter=jitter)
    return Timing(machine, origins, send_origin)


def _sweep(
    variant: ModelVariant,
    executor: Executor,
    known: Mapping[str, Sweep],
    saved: Mapping[str, Path],
    *,
    size_max: int,
) -> tuple[Sweep, str]:
    if variant.name in saved:
        return _saved(saved[variant.name]), str(saved[variant.name])
    if isinstance(variant.executor, Simulated):
        fixed_ns, per_event_ns = int(variant.executor.fixed), int(variant.executor.per_event)
        line = [fixed_ns + per_event_ns * size for size in range(1, size_max + 1)]
        return (range(1, size_max + 1), line), "simulated"
    if executor.info.digest in known:
        return known[executor.info.digest], "recorded"
    size_max = min(size_max, executor.info.batch_max or size_max)
    return sweep(executor, size_max=size_max, clock=SystemClock()), "measured"


def _recorded(capture: CaptureReader) -> dict[str, Sweep]:
    """What the recording tells of its models, by their digests."""
    sweeps = recorded_sweeps(schedule_of(capture))
    models = capture.metadata.models
    if sweeps is None or len(sweeps) != len(models):
        return {}
    return {model.digest: told for model, told in zip(models, sweeps, strict=True)}


def _saved(path: Path) -> Sweep:
    try:
        run_ns = LatencyModel.from_json(path.read_text(encoding="utf-8")).run_ns
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise ConfigError(Problem(message, origin=str(path))) from error
    except ValueError as error:
        raise ConfigError(Problem(f"is no latency model: {error}", origin=str(path))) from error
    return range(1, len(run_ns) + 1), run_ns.tolist()
