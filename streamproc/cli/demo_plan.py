"""What a demo is going to do, settled before anything starts."""

import json
from dataclasses import dataclass
from pathlib import Path

from streamproc.cli.demo_broker import DemoBroker
from streamproc.config import LoadedConfig, load
from streamproc.core import NS_PER_S, ConfigError, Duration
from streamproc.executors import Simulated
from streamproc.replay import OutsideWork, Playable, Schedule
from streamproc.scheduling.options import SIZE_MAX

_RUN_PART = 0.4
"""The pretended device reaches its capacity with batches that take this part of the budget (20 of 50 ms),
so that there is room for the queue and the broker."""
_FIXED_PART = 0.1
"""Of this, what a batch costs whatever its size (5 ms)."""
_ALONE_PART_MAX = 0.8
"""Where one event alone takes more of the budget, nothing could be answered, and nothing be shown."""
_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a demo does.

    Attributes:
        template: whose pipeline and recording it is.
        place: the broker.
        loaded: the pipeline.
        job: what is played.
        duration_ns: for how long.
        rate_per_s: the mean rate of what is played.
        overload: how many times more than the device can do; None with the real model.
        device: the pretended device; None with the real model.
        record: the folder of its recording; None where none is made.
    """

    template: str
    place: DemoBroker
    loaded: LoadedConfig
    job: OutsideWork
    duration_ns: int
    rate_per_s: float
    overload: float | None
    device: Simulated | None
    record: Path | None = None


def make_plan(
    config: Path,
    recording: Playable,
    *,
    place: DemoBroker,
    duration_ns: int,
    rate_per_s: float | None,
    overload: float | None,
    listen: str,
    record: Path | None = None,
    pause_ns: int = 0,
) -> Plan:
    """Settle speed, device and configuration.

    Args:
        config: the file in a template's folder.
        recording: what is played.
        place: the broker.
        duration_ns: for how long.
        rate_per_s: events a second in the mean; None plays as recorded.
        overload: see ``Plan``.
        listen: where the endpoints are.
        record: the folder of a recording that is to be made.
        pause_ns: the player waits at least so long between two sends, where the broker does not ask for more.

    Raises:
        ConfigError: an option does not fit.
    """
    schedule = Schedule.of(recording.timestamp_ns())
    if rate_per_s is not None:
        schedule = schedule.at_rate(rate_per_s, duration_ns=duration_ns)
    count = schedule.count_within(duration_ns)
    mean_per_s = count * NS_PER_S / duration_ns
    overrides = [
        f"source.kafka.bootstrap_servers={json.dumps(place.servers)}",
        f"source.kafka.topics={json.dumps([place.events])}",
        f"source.kafka.group_id={place.group}",
        "source.kafka.auto_offset_reset=earliest",
        f"sink.kafka.topic={place.decisions}",
        f"outcomes.dead_letter_topic={place.dead_letters}",
        f"telemetry.metrics.listen={json.dumps(listen)}",
        *place.overrides,
    ]
    if record is not None:
        if record.exists() and any(record.iterdir() if record.is_dir() else [record]):
            msg = f"--record {record}: is there already, and not empty: name a new folder"
            raise ConfigError(msg)
        overrides.append(f"record.path={json.dumps(str(record.absolute()))}")
    device = None
    if overload is not None:
        budget_ns = int(load(config, environ={}).config.deadline.budget)
        device = pretended(mean_per_s / overload, budget_ns=budget_ns)
        times = {"fixed": str(device.fixed), "per_event": str(device.per_event)}
        overrides += [
            f"model.executor={json.dumps({'simulated': times})}",
            f"batching.max_size={largest_batch(device, budget_ns=budget_ns)}",
        ]
    loaded = load(config, overrides=overrides, environ={})
    job = OutsideWork(
        servers=place.servers,
        recording=recording.path,
        events=place.events,
        decisions=place.decisions,
        speed=schedule.speed,
        count=count,
        pause_ns=max(place.pause_ns, pause_ns),
    )
    return Plan(
        config.parent.name, place, loaded, job, duration_ns, mean_per_s, overload, device, record
    )


def pretended(capacity_per_s: float, *, budget_ns: int) -> Simulated:
    """A device that can do so many events a second, in batches that fit the budget.

    Raises:
        ConfigError: so slow a device could answer nothing in time.
    """
    fixed_ns = _FIXED_PART * budget_ns
    batch = capacity_per_s * _RUN_PART * budget_ns / NS_PER_S
    per_event_ns = (_RUN_PART - _FIXED_PART) * budget_ns / batch
    if fixed_ns + per_event_ns > _ALONE_PART_MAX * budget_ns:
        least = (_RUN_PART - _FIXED_PART) / (_ALONE_PART_MAX - _FIXED_PART) / _RUN_PART
        least_per_s = least * NS_PER_S / budget_ns
        msg = (
            f"--overload: a device for {capacity_per_s:.1f} events a second could answer none within "
            f"{Duration(budget_ns)}: use a --rate above {least_per_s:.0f} times the overload"
        )
        raise ConfigError(msg)
    whole = [
        Duration(max(1, round(ns / _NS_PER_US)) * _NS_PER_US) for ns in (fixed_ns, per_event_ns)
    ]
    return Simulated(fixed=whole[0], per_event=whole[1])


def largest_batch(device: Simulated, *, budget_ns: int) -> int:
    """The largest batch that a device ends within the budget; larger ones need not be measured."""
    size = (budget_ns - int(device.fixed)) // int(device.per_event)
    return max(1, min(size, SIZE_MAX))
