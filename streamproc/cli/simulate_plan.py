"""What ``streamproc simulate`` is asked for: the machine, the rules, and the traffic at each load."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from streamproc.config import LoadedConfig, PipelineConfig
from streamproc.core import NS_PER_S, ConfigError, Int64Array, Problem
from streamproc.executors import ModelVariant, Simulated
from streamproc.replay import Recording
from streamproc.replay.simulation import (
    Machine,
    RateProfile,
    Rules,
    SimulatedVariant,
    Traffic,
    bursty,
    diurnal,
    flash_crowd,
    load_one_per_s,
    poisson,
    read_arrivals,
    read_capture,
    recorded,
    step,
    straight_line,
)
from streamproc.runtime import lane_specs
from streamproc.scheduling import LaneSpec, LatencyModel, shed_policies

CAPACITY = "capacity"
"""Stands for a rate: the highest that the executor can sustain."""
STANDARD_LOADS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""What a range of loads is made of, beside its ends."""
EVENTS_MAX = 20_000_000
"""More would not fit the memory of a small machine: some 200 bytes an event."""
UNASKED_EVENTS_MAX = 250_000
"""At the highest load, where nobody says how long: six planners at six loads are done in a minute."""
_RANGE = re.compile(r"([^.].*?)\.\.(.+)")

SHAPES: Mapping[str, Callable[[np.random.Generator, int], RateProfile]] = {
    "poisson": lambda _, duration_ns: poisson(duration_ns=duration_ns),
    "bursty": lambda rng, duration_ns: bursty(rng, duration_ns=duration_ns),
    "diurnal": lambda _, duration_ns: diurnal(duration_ns=duration_ns),
    "flash-crowd": lambda _, duration_ns: flash_crowd(duration_ns=duration_ns),
    "step": lambda _, duration_ns: step(duration_ns=duration_ns),
}
"""The generators by the names of their options."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which arrivals.

    Attributes:
        shape: a name of ``SHAPES``, ``arrivals``, ``capture`` or ``recording``.
        rate: of a generator or recording: events a second, or ``capacity``; "" keeps the recorded times.
        file: of the other two.
        loads: multiples of the capacity; empty for the rate or the file as it is.
        duration_ns: how long the generators go on; None for 10 s, or what 250,000 events take.
        lanes: the part of the events that is in a lane, by its name; the rest is in the last.
    """

    shape: str
    rate: str = CAPACITY
    file: Path | None = None
    loads: Sequence[float] = ()
    duration_ns: int | None = None
    lanes: Mapping[str, float] = field(default_factory=dict)


def parse_lanes(texts: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Read ``critical=0.2``: the part of the events that is in a lane.

    Args:
        texts: one or more each.
        names: of the lanes that there are.

    Raises:
        ValueError: it is none, there is no such lane, or the parts are more than all.
    """
    found: dict[str, float] = {}
    for text in ",".join(texts).split(",") if texts else ():
        name, _, part = text.partition("=")
        if name not in names:
            msg = f"there is no lane {name!r} in the file; there are {', '.join(names) or 'none'}"
            raise ValueError(msg)
        try:
            found[name] = float(part)
        except ValueError:
            found[name] = -1.0
        if not 0.0 <= found[name] <= 1.0 or sum(found.values()) > 1.0 + 1e-9:
            msg = f"{text!r}: write the part of the events that is in the lane, such as {name}=0.2; at most 1 together"
            raise ValueError(msg)
    return found


def parse_loads(texts: Sequence[str]) -> list[float]:
    """Read ``2``, ``0.5,1,2`` and ``0.5..4``, the last with the standard loads between its ends.

    Raises:
        ValueError: it is none of these, or a load is not above 0.
    """
    found: set[float] = set()
    for text in ",".join(texts).split(",") if texts else ():
        if span := _RANGE.fullmatch(text.strip()):
            low, high = map(_load, span.groups())
            if low > high:
                msg = f"{text!r} goes down: write the smaller load first"
                raise ValueError(msg)
            found |= {low, high, *(load for load in STANDARD_LOADS if low < load < high)}
        else:
            found.add(_load(text))
    return sorted(found)


def _load(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1_000.0:  # noqa: PLR2004 - nobody means more
        msg = f"{text!r} is no load: write a multiple of the capacity, such as 2, or a range, such as 0.5..4"
        raise ValueError(msg)
    return value


def rules_of(config: PipelineConfig) -> Rules:
    """What the scheduler goes by, as the service makes it of the same file."""
    return Rules(
        batching=config.batching,
        shed=shed_policies(config.shed),
        ordering=config.ordering,
        lanes=lane_specs(config),
    )


def machine_of(
    loaded: LoadedConfig,
    saved: Sequence[str],
    *,
    executors: int | None,
    send_ns: int,
    jitter: float,
) -> Machine:
    """What runs the batches.

    Args:
        loaded: the pipeline.
        saved: latency models that a run has saved, ``F.json`` or ``VARIANT=F.json``; a variant without one takes
            the times of its ``simulated`` executor.
        executors: how many batches run at the same time; None for as many as the file says.
        send_ns: from the end of a batch to the acknowledgement of its decisions.
        jitter: see ``Machine``.

    Raises:
        ConfigError: how long a variant's batches take is not known, or a file cannot be read.
    """
    ladder = loaded.config.model.ladder
    files = dict(_named(text, ladder[0].name) for text in saved)
    if unknown := sorted(files.keys() - {variant.name for variant in ladder}):
        there = ", ".join(variant.name for variant in ladder)
        message = f"--latency-model {unknown[0]}=...: there is no such variant; there are {there}"
        raise ConfigError(message)
    variants = [
        SimulatedVariant(_run_ns(loaded, variant, files), variant.name, variant.quality)
        for variant in ladder
    ]
    # The scheduler makes batches that every variant can run.
    size_max = min(len(variant.run_ns) for variant in variants)
    return Machine(
        variants=[replace(variant, run_ns=variant.run_ns[:size_max]) for variant in variants],
        executors=executors or int(getattr(ladder[0].executor, "concurrency", 1)),
        send_ns=send_ns,
        jitter=jitter,
    )


def _named(text: str, best: str) -> tuple[str, Path]:
    name, equals, path = text.rpartition("=")
    return (name if equals else best), Path(path)


def _run_ns(loaded: LoadedConfig, variant: ModelVariant, files: Mapping[str, Path]) -> Int64Array:
    size_max, executor = loaded.config.batching.max_size, variant.executor
    if variant.name in files:
        return _read_model(files[variant.name]).run_ns[:size_max]
    if isinstance(executor, Simulated):
        fixed_ns, per_event_ns = int(executor.fixed), int(executor.per_event)
        return straight_line(fixed_ns=fixed_ns, per_event_ns=per_event_ns, size_max=size_max)
    message = (
        f"how long batches of {variant.name} take is not known here: measure it with --measure F.json, name a "
        f"saved latency model with --latency-model {variant.name}=F.json, or the times with "
        "--set 'model.executor={simulated: {fixed: 2ms, per_event: 100us}}'"
    )
    raise ConfigError(loaded.problem("model.executor", message))


def _read_model(path: Path) -> LatencyModel:
    try:
        return LatencyModel.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise ConfigError(Problem(message, origin=str(path))) from error
    except ValueError as error:
        raise ConfigError(Problem(f"is no latency model: {error}", origin=str(path))) from error


def traffics_of(
    asked: Asked, config: PipelineConfig, machine: Machine, *, seed: int
) -> dict[float, Traffic]:
    """The events at each load.

    The same seed gives the same bursts at every load, with more in them.

    Raises:
        ConfigError: the file cannot be read, the executor can do nothing in time, or there are too many events.
    """
    budget_ns = int(config.deadline.budget)
    capacity = load_one_per_s(machine, budget_ns=budget_ns)
    if not capacity:
        message = (
            f"no batch can be in time: one event takes {machine.variants[0].run_ns[0] / 1e6:g} ms, its sending "
            f"{machine.send_ns / 1e6:g} ms, and the budget is {config.deadline.budget}"
        )
        raise ConfigError(Problem(message, key="deadline.budget"))
    specs = lane_specs(config)
    if asked.shape in ("arrivals", "capture") and asked.file is not None:
        given = _given(asked.shape, asked.file, config, budget_ns)
        rate = given.rate_per_s
        if not rate:
            message = "all its events come at one instant: it has no rate, and no load"
            raise ConfigError(Problem(message, origin=str(asked.file)))
        drawn = {load: given.scaled(load * capacity / rate) for load in asked.loads}
        drawn = drawn or {round(rate / capacity, 3): given}
    else:
        loads = list(asked.loads) or [round(_rate(asked, capacity) / capacity, 6)]
        for_ns = asked.duration_ns or _duration_ns(max(loads) * capacity)
        drawn = {
            load: _drawn(asked, load * capacity, for_ns=for_ns, budget_ns=budget_ns, seed=seed)
            for load in loads
        }
    return {
        load: _in_lanes(traffic, specs, asked.lanes, seed=seed) for load, traffic in drawn.items()
    }


def _given(shape: str, file: Path, config: PipelineConfig, budget_ns: int) -> Traffic:
    """The arrivals that a file holds."""
    if shape == "arrivals":
        return read_arrivals(file, budget_ns=budget_ns)
    return read_capture(
        file,
        budget_ns=budget_ns,
        topics=tuple(config.source.topics),
        from_arrival=config.deadline.from_ == "arrival",
    )


def _in_lanes(
    traffic: Traffic, specs: Sequence[LaneSpec], shares: Mapping[str, float], *, seed: int
) -> Traffic:
    """The events by chance in lanes, each with its lane's budget where it had the default one's."""
    if len(specs) == 1:
        return traffic
    parts = [shares.get(spec.name, 0.0) for spec in specs[:-1]]
    rng = np.random.default_rng([seed, len(specs)])
    lane = np.cumsum(parts).searchsorted(rng.random(len(traffic)), side="right")
    budget_ns = np.array([spec.budget_ns for spec in specs])
    own = traffic.deadline_ns != traffic.arrival_ns + specs[-1].budget_ns
    deadline_ns = np.where(own, traffic.deadline_ns, traffic.arrival_ns + budget_ns[lane])
    return replace(traffic, lane=lane, deadline_ns=deadline_ns)


def _rate(asked: Asked, capacity_per_s: float) -> float:
    if asked.rate == CAPACITY:
        return capacity_per_s
    if not asked.rate and asked.file is not None:
        stamps = Recording(asked.file).timestamp_ns()
        return (len(stamps) - 1) * NS_PER_S / max(1, int(stamps[-1] - stamps[0]))
    try:
        value = float(asked.rate)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        message = f"--{asked.shape} {asked.rate}: write events a second, such as 2000, or capacity"
        raise ConfigError(message)
    return value


def _duration_ns(rate_per_s: float) -> int:
    """How long the generators go on where nobody says it: a tiny model's capacity is millions of events a second."""
    return int(min(10.0, UNASKED_EVENTS_MAX / rate_per_s) * NS_PER_S)


def _drawn(asked: Asked, rate_per_s: float, *, for_ns: int, budget_ns: int, seed: int) -> Traffic:
    rng = np.random.default_rng(seed)
    if asked.shape == "recording" and asked.file is not None:
        stamps = Recording(asked.file).timestamp_ns()
        arrival_ns = recorded(rng, stamps, rate_per_s=rate_per_s)
        bursts = None
    else:
        expected = rate_per_s * for_ns / NS_PER_S
        if expected > EVENTS_MAX:
            message = (
                f"{expected:,.0f} events are too many; at most {EVENTS_MAX:,}: shorten --duration"
            )
            raise ConfigError(message)
        profile = SHAPES[asked.shape](rng, for_ns)
        arrival_ns, bursts = profile.arrivals(rng, rate_per_s=rate_per_s), profile.bursts
    if not len(arrival_ns):
        message = (
            f"no event comes in {for_ns / NS_PER_S:g} s at {rate_per_s:g}/s: lengthen --duration"
        )
        raise ConfigError(message)
    return Traffic(arrival_ns=arrival_ns, deadline_ns=_due(arrival_ns, budget_ns), bursts=bursts)


def _due(arrival_ns: Int64Array, budget_ns: int) -> Int64Array:
    return arrival_ns + budget_ns
