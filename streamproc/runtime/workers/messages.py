"""What a worker and its parent say to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamproc.config import PipelineConfig
from streamproc.core import ConfigError, ExternalError, InvariantError, ModelInfo
from streamproc.slo import Measures
from streamproc.telemetry import Accounts, Gauges


@dataclass(frozen=True, slots=True)
class Reload:
    """From the parent: go on with this configuration, and with the model's files as they are now."""

    config: PipelineConfig


@dataclass(frozen=True, slots=True)
class Brake:
    """From the parent, which looks after the objectives: do this about a burning budget from now on."""

    measures: Measures


Order: TypeAlias = Literal["join", "stop", "pause", "resume"] | Reload | Brake
"""From the parent: join the group now; finish what was taken in and end; take in nothing more; take in again."""


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
    """How a worker stands; the whole of it, so that one that is left out is no loss.

    Attributes:
        accounts: its books since it started.
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
        error: why, as the parent raises it.
    """

    error: Exception

    @classmethod
    def because(cls, error: Exception) -> "Failed":
        """What can be told of an exception: not every one can be pickled."""
        if isinstance(error, ConfigError | ExternalError | InvariantError):
            return cls(error)
        return cls(RuntimeError(f"{type(error).__name__}: {error}"))

    @property
    def may_pass(self) -> bool:
        """True where another try may end otherwise without anybody doing something."""
        return isinstance(self.error, ExternalError) and self.error.retriable


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How a reload went.

    Attributes:
        models: the variants that run now.
        error: why it did not, as the parent raises it; None where it did.
    """

    models: Sequence[ModelInfo]
    error: Exception | None = None


Report: TypeAlias = Warm | Snapshot | Failed | Reloaded
"""From the worker."""
