"""What a worker and its parent say to each other over their pipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamproc.config import PipelineConfig
from streamproc.core import ModelInfo
from streamproc.telemetry import Accounts, Gauges

Order: TypeAlias = Literal["join", "stop"]
"""From the parent: join the group now; finish what was taken in and end."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker does.

    Attributes:
        config: the pipeline, with the worker's own member id.
        number: the worker's number, from 0.
        log_level: from which on it logs.
    """

    config: PipelineConfig
    number: int
    log_level: int


@dataclass(frozen=True, slots=True)
class Warm:
    """The worker has loaded and measured its model, all variants of it."""

    models: Sequence[ModelInfo]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a worker stands.

    Attributes:
        accounts: its books.
        gauges: what is waiting in it.
        readiness: what its readiness waits for, and whether it is there.
        cpu_ns: what it has used since it joined.
    """

    accounts: Accounts
    gauges: Gauges
    readiness: Mapping[str, bool]
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot go on.

    Attributes:
        text: why.
        config: True where the configuration is wrong, so that another try would end alike.
    """

    text: str
    config: bool


Report: TypeAlias = Warm | Snapshot | Failed
