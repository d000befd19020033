"""From a configuration to the stages of its model's cascade."""

from collections.abc import Sequence
from typing import cast

from streamproc.config import PipelineConfig
from streamproc.core import Executor, ModelInfo
from streamproc.engine import Concluder, Doubt, Escalation, Offering, Output, Stages
from streamproc.executors import Remote
from streamproc.scheduling import CascadeScheduler, Scheduler, StageSpec
from streamproc.telemetry import Accounts


def stage_specs(config: PipelineConfig) -> list[StageSpec]:
    """The stages behind the first. One on another machine has slots of its own: its batches take nobody's place here."""
    specs = []
    for variant in config.model.stages[1:]:
        executor = config.model.ladder[variant].executor
        slots = executor.concurrency if isinstance(executor, Remote) else None
        specs.append(StageSpec(variant, slots))
    return specs


def first_slots(config: PipelineConfig, executors: Sequence[Executor]) -> int:
    """How many batches may run at the same time, those of stages with slots of their own not counted."""
    apart = {spec.variant for spec in stage_specs(config) if spec.slots is not None}
    return min(e.concurrency for place, e in enumerate(executors) if place not in apart)


def all_slots(config: PipelineConfig, executors: Sequence[Executor]) -> int:
    """How many batches may run at the same time in all stages."""
    return first_slots(config, executors) + sum(spec.slots or 0 for spec in stage_specs(config))


def make_doubt(config: PipelineConfig, models: Sequence[ModelInfo]) -> Doubt | None:
    """What the stages of a cascade are unsure of; None where each event is answered once.

    Raises:
        ConfigError: the condition does not fit what the model gives.
    """
    if config.model.cascade is None:
        return None
    tensor = config.output.tensor if isinstance(config.output, Output) else None
    return Doubt(config.model.cascade.unsure, outputs=models[0].outputs, tensor=tensor)


def make_escalation(
    config: PipelineConfig,
    models: Sequence[ModelInfo],
    *,
    scheduler: Scheduler,
    concluder: Concluder,
    offering: Offering,
    accounts: Accounts,
) -> Escalation | None:
    """What asks further stages; None where each event is answered once.

    Raises:
        ConfigError: the condition does not fit what the model gives.
    """
    doubt = make_doubt(config, models)
    if doubt is None:
        return None
    budgets_ns = [config.deadline.budget, *(lane.budget for lane in config.lanes if lane.budget)]
    return Escalation(
        Stages.of(
            config.model.stages,
            doubt,
            budget_ns=int(min(budgets_ns)),
            stops=config.model.stop_late is not False,
        ),
        scheduler=cast("CascadeScheduler", scheduler),  # it may be watched, and then is no instance
        concluder=concluder,
        offering=offering,
        accounts=accounts,
        ordering=config.ordering,
    )
