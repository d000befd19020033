"""From a configuration to the scheduler, its lanes, and the books that are kept of them."""

from collections.abc import Callable, Sequence
from functools import partial

from streamproc.codecs import Decoders
from streamproc.config import PipelineConfig, kafka_sink
from streamproc.core import NS_PER_MS, ConfigError, Problem, Reason
from streamproc.engine import Lanes, Offering, StatefulModel, TurnwiseScheduler
from streamproc.features import Expression
from streamproc.runtime.cascade import stage_specs
from streamproc.scheduling import (
    SHED_POLICIES,
    ArmedScheduler,
    CascadeScheduler,
    LaneSpec,
    LatencyModel,
    Reload,
    SendLatency,
    ShedPolicy,
    SkipAhead,
    Utility,
    Variant,
    shed_policies,
)
from streamproc.slo import latencies_ns
from streamproc.telemetry import Accounts, names

SEND_SHARE = 2
"""Sending is never allowed more than this part (a half) of the budget: one stall of the broker must not
make every event look hopeless."""
UNTRIED_SEND_NS = 25 * NS_PER_MS
"""Allowed for sending until some hundred sends were seen, within that share: a broker's pause, or its slow
first answers. Where it makes every event look hopeless the scheduler forgets it at the first probe."""

REQUESTS_LANE = "requests"
"""Of the front door: no lane of the books, for what is in it is no event."""

INTERVAL_MAX_NS = 100 * NS_PER_MS
INTERVAL_SHARE = 8
"""From one transaction to the next, where nobody says: so long, or this part (an eighth) of the smallest budget."""


def has_policy(config: PipelineConfig, kind: type[ShedPolicy]) -> bool:
    """Whether events may be shed by a policy."""
    return any(isinstance(policy, kind) for policy in shed_policies(config.shed))


def lane_specs(config: PipelineConfig) -> tuple[LaneSpec, ...]:
    """The lanes as the scheduler knows them; the last one takes what no other does, behind all of them."""
    budget_ns = int(config.deadline.budget)
    lanes = [
        LaneSpec(
            lane.name,
            priority=lane.priority,
            share=lane.share,
            budget_ns=budget_ns if lane.budget is None else int(lane.budget),
        )
        for lane in config.lanes
    ]
    last = max((lane.priority for lane in config.lanes), default=-1) + 1
    return (*lanes, LaneSpec(names.LANE_DEFAULT, priority=last, budget_ns=budget_ns))


def lane_budgets_ns(config: PipelineConfig) -> list[int] | None:
    """The budget of each lane; None where there is one lane."""
    return [lane.budget_ns for lane in lane_specs(config)] if config.lanes else None


def make_accounts(config: PipelineConfig) -> Accounts:
    """The books of a pipeline, with nothing in them."""
    lanes = lane_specs(config)
    reasons = [
        Reason(name)
        for name, kind in SHED_POLICIES.items()
        if kind is not SkipAhead and has_policy(config, kind)
    ]
    brakes = [o.on_burn for o in config.slo if o.on_burn is not None]
    if any(b.max_queue is not None for b in brakes) and Reason.TAIL_DROP not in reasons:
        reasons.append(Reason.TAIL_DROP)
    return Accounts(
        pipeline=config.name,
        exact_bounds_ns=sorted({lane.budget_ns for lane in lanes} | latencies_ns(config.slo)),
        lanes=[lane.name for lane in lanes],
        shed_reasons=reasons,
    )


def make_scheduler(
    config: PipelineConfig,
    latency: Sequence[LatencyModel],
    *,
    slots: int,
    stateful: StatefulModel | None = None,
) -> ArmedScheduler:
    """The scheduler of a pipeline.

    Args:
        config: what the user wrote.
        latency: how long batches of each variant take, the best one first.
        slots: how many batches may run at the same time.
        stateful: of a model that carries state; None for one that does not.
    """
    lanes = _scheduled_lanes(config)
    smallest_ns = min(lane.budget_ns for lane in lane_specs(config))
    make: Callable[..., ArmedScheduler] = ArmedScheduler
    if stateful is not None:
        make = partial(TurnwiseScheduler, stateful)
    elif config.model.cascade is not None:
        make = partial(CascadeScheduler, first=config.model.stages[0], stages=stage_specs(config))
    return make(
        batching=config.batching,
        shed=shed_policies(config.shed),
        ordering=config.ordering,
        variants=_variants(config, latency),
        send=SendLatency(
            ceiling_ns=smallest_ns // SEND_SHARE,
            first_ns=UNTRIED_SEND_NS + transaction_interval_ns(config),
        ),
        slots=slots,
        lanes=lanes,
    )


def transaction_interval_ns(config: PipelineConfig) -> int:
    """The least time from one transaction to the next; 0 where there are none."""
    if config.delivery != "exactly_once":
        return 0
    asked = kafka_sink(config, "delivery: exactly_once").transaction_interval
    smallest_ns = min(lane.budget_ns for lane in lane_specs(config))
    return int(asked) if asked is not None else min(INTERVAL_MAX_NS, smallest_ns // INTERVAL_SHARE)


def make_lanes(config: PipelineConfig, decoder: Decoders) -> Lanes | None:
    """Says in which lane an event is; None where there is one.

    Raises:
        ConfigError: a lane asks for a field that is not decoded.
    """
    if not config.lanes:
        return None
    return Lanes(
        [
            _expression(lane.when, decoder, f"lanes[{place}].when")
            for place, lane in enumerate(config.lanes)
        ]
    )


def make_offering(config: PipelineConfig, decoder: Decoders, *, keys: bool = False) -> Offering:
    """What the scheduler is told of events.

    Args:
        config: what the user wrote.
        decoder: whose fields the user's expressions are about.
        keys: whether the scheduler asks for hashes of keys.

    Raises:
        ConfigError: a field that is asked for is not decoded.
    """
    cost, value = config.batching.cost, None
    for place, policy in enumerate(shed_policies(config.shed)):
        if isinstance(policy, Utility):
            value = _expression(policy.value, decoder, f"shed[{place}].utility.value")
    return Offering(
        cost=None if cost is None else _expression(cost, decoder, "batching.cost"),
        value=value,
        keys=keys,
    )


def _expression(text: str, decoder: Decoders, key: str) -> Expression:
    try:
        return Expression.parse(text, {name: str(kind) for name, kind in decoder.fields.items()})
    except ValueError as error:
        raise ConfigError(Problem(str(error), key)) from None


def reload_options(config: PipelineConfig, latency: Sequence[LatencyModel]) -> Reload:
    """What a scheduler goes on with after a reload; see ``make_scheduler``."""
    lanes = _scheduled_lanes(config)
    return Reload(
        batching=config.batching,
        shed=shed_policies(config.shed),
        variants=_variants(config, latency),
        lanes=lanes,
        send_ceiling_ns=min(lane.budget_ns for lane in lanes) // SEND_SHARE,
    )


def _scheduled_lanes(config: PipelineConfig) -> tuple[LaneSpec, ...]:
    """The lanes, and behind all of them that of requests, where there is a front door."""
    lanes = lane_specs(config)
    if config.serve is None:
        return lanes
    last = lanes[-1]
    return (*lanes, LaneSpec(REQUESTS_LANE, priority=last.priority + 1, budget_ns=last.budget_ns))


def _variants(config: PipelineConfig, latency: Sequence[LatencyModel]) -> list[Variant]:
    return [
        Variant(variant.name, variant.quality, curve)
        for variant, curve in zip(config.model.ladder, latency, strict=True)
    ]
