"""From the configuration to what the engine is told of a rollout."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from streamproc.config import PipelineConfig, plain
from streamproc.core import ModelInfo
from streamproc.engine import ArmPlan, CanaryLimits, CanaryPlan, RolloutPlan, ShadowPlan
from streamproc.executors import Canary, Candidate, Rollback
from streamproc.scheduling import LatencyModel, Variant


def rollout_plan(
    config: PipelineConfig, models: Sequence[ModelInfo], latency: Sequence[LatencyModel]
) -> RolloutPlan:
    """What the engine is told.

    Args:
        config: what the user wrote.
        models: all that run; see ``executors.runners`` for their order.
        latency: how long batches of each take.
    """
    ladder, rollout = len(config.model.ladder), config.rollout
    if rollout is None:
        return RolloutPlan(ladder)
    arms, level, low = [], ladder, 0.0
    for arm in rollout.arms:
        curve = latency[level]
        high = low + arm.share
        made = _arm(arm, models[level], level, curve, low=low, high=high)
        arms.append(made)
        low, level = high, level + 1
    if rollout.canary is not None:
        canary, own = rollout.canary, level
        level += 1
        reference = None
        if canary.rollback.disagreement is not None:
            reference, level = level, level + 1
        # From the end on, so that it grows without moving the arms' keys.
        made = _arm(canary, models[own], own, latency[own], low=1.0 - canary.share, high=1.0)
        arms.append(replace(made, canary=_canary(canary, reference)))
    shadow = None
    if rollout.shadow is not None:
        options = rollout.shadow
        shadow = ShadowPlan(
            options.name,
            level,
            options.share,
            options.max_queue,
            options.tolerance,
            options.topic,
            options.file,
        )
    return RolloutPlan(ladder, f"{config.name} {rollout.salt}", tuple(arms), shadow)


def identity_of(candidate: Candidate, digest: str) -> str:
    """All that makes a candidate what it is, in a few letters that are the same in every process.

    Where its file lies is no part of it, as long as what is in the file is known.

    Args:
        candidate: what the user wrote.
        digest: of what was loaded; of a file's content where it begins with ``sha256:``.
    """
    if digest.startswith("sha256:"):
        candidate = replace(candidate, path=None, repository=None)
    said = json.dumps([plain(candidate), digest], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _arm(
    candidate: Candidate,
    model: ModelInfo,
    level: int,
    latency: LatencyModel,
    *,
    low: float,
    high: float,
) -> ArmPlan:
    return ArmPlan(
        name=candidate.name,
        identity=identity_of(candidate, model.digest),
        level=level,
        variant=Variant(candidate.name, 1.0, latency),
        low=low,
        high=high,
    )


def _canary(canary: Canary, reference: int | None) -> CanaryPlan:
    return CanaryPlan(
        _limits(canary.rollback),
        tuple(canary.steps),
        int(canary.step_every),
        reference,
        canary.tolerance,
    )


def _limits(rollback: Rollback) -> CanaryLimits:
    return CanaryLimits(
        rollback.disagreement,
        rollback.failures,
        rollback.misses,
        None if rollback.stall is None else int(rollback.stall),
        rollback.min_events,
        int(rollback.within),
    )
