"""What a user can set of models that are tried beside the one that decides: a canary, arms of a test, a shadow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from streamproc.core import Duration
from streamproc.executors.isolated.options import Isolation
from streamproc.executors.models.repository import Repository
from streamproc.executors.options import PythonModel, Simulated
from streamproc.executors.remote.options import Remote
from streamproc.executors.runtimes import OnnxRuntime, OpenVino


@dataclass(frozen=True, slots=True)
class Rollback:
    """When a canary is taken back by itself; each limit is looked at while it decides, and null never takes it back.

    Attributes:
        disagreement: the share of its decisions that the model itself would have made otherwise.
        failures: the share of its events on which it failed, so that the model itself decided about them.
        misses: by how much the share of its events that end late, shed or as dead letters may be above that of the
            others.
        stall: how long one batch of it may take.
        min_events: no share is believed of fewer events than that.
        within: the shares are of the last so long, or of the last ``min_events`` where those took longer.
    """

    disagreement: float | None = 0.1
    failures: float | None = 0.05
    misses: float | None = 0.05
    stall: Duration | None = Duration.parse("5s")  # noqa: RUF009 - immutable
    min_events: int = 200
    within: Duration = Duration.parse("10s")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        for name in ("disagreement", "failures", "misses"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < 1.0:
                msg = f"{name} must be a share from 0 to below 1, such as 0.1, was {value:g}"
                raise ValueError(msg)
        if self.min_events < 1:
            msg = f"min_events must be at least 1, was {self.min_events}"
            raise ValueError(msg)
        for name in ("stall", "within"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                msg = f"{name} must be above 0, such as 5s, was {value}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that is tried beside the one that decides; it takes and gives the same.

    Attributes:
        name: of it, in decisions and metrics.
        path: the ONNX file, relative to the configuration file.
        repository: a model repository, in place of ``path``.
        executor: what runs it; null takes the model's.
        isolation: ``true``, or a mapping, runs it in a process of its own, so that it harms nothing; what is on another
            machine, or simulated, is run as it is.
    """

    name: str = "candidate"
    path: str | None = None
    repository: Repository | None = None
    executor: OnnxRuntime | OpenVino | PythonModel | Remote | Simulated | None = None
    isolation: bool | Isolation = True

    @property
    def model_file(self) -> str | None:
        """The file that is loaded now; None where there is none."""
        return self.path if self.repository is None else self.repository.file

    @property
    def isolated(self) -> Isolation | None:
        """How it runs in a process of its own; None where it runs in this one, or elsewhere."""
        if isinstance(self.executor, Remote | Simulated):
            return None
        if isinstance(self.isolation, bool):
            return Isolation() if self.isolation else None
        return self.isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(Candidate):
    """A model that decides about a share of the keys.

    Attributes:
        share: of the keys, above 0 and at most 1; which they are is a matter of the key's hash.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            msg = f"share must be above 0 and at most 1, was {self.share:g}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary(Candidate):
    """A new model that decides about a share of the keys, and is taken back by itself.

    Attributes:
        share: of the keys, above 0 and at most 1; which they are is a matter of the key's hash.
        steps: shares that follow, each above the one before; the keys that it has stay with it.
        step_every: how long it must have decided at one share, and not have been taken back, before the next.
        rollback: when it is taken back.
        tolerance: numbers that differ by no more, or by no more than that part of the larger, agree.
    """

    name: str = "canary"
    share: float = 0.05
    steps: Sequence[float] = ()
    step_every: Duration = Duration.parse("10m")  # noqa: RUF009 - immutable
    rollback: Rollback = field(default_factory=Rollback)
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        shares = [self.share, *self.steps]
        for share in shares:
            if not 0.0 < share <= 1.0:
                msg = f"share and steps must be above 0 and at most 1, was {share:g}"
                raise ValueError(msg)
        if shares != sorted(set(shares)):
            msg = f"steps must rise from share on, were {', '.join(f'{s:g}' for s in shares)}"
            raise ValueError(msg)
        if self.step_every <= 0:
            msg = f"step_every must be above 0, such as 10m, was {self.step_every}"
            raise ValueError(msg)
        _check_tolerance(self.tolerance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow(Candidate):
    """A new model that decides in spare time, and whose decisions are compared and never published.

    Attributes:
        name: of it, in what is recorded, and in metrics.
        share: of the keys, above 0 and at most 1; which they are is a matter of the key's hash.
        max_queue: events that wait for spare time at most; what comes beyond them is dropped, and counted.
        topic: where comparisons are written, on the sink's cluster; null writes none.
        file: where they are written as JSON lines; null writes none.
        tolerance: numbers that differ by no more, or by no more than that part of the larger, agree.
    """

    name: str = "shadow"
    share: float = 0.1
    max_queue: int = 1_024
    topic: str | None = None
    file: str | None = None
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            msg = f"share must be above 0 and at most 1, was {self.share:g}"
            raise ValueError(msg)
        if self.max_queue < 1:
            msg = f"max_queue must be at least 1, was {self.max_queue}"
            raise ValueError(msg)
        _check_tolerance(self.tolerance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Models that are tried beside the one that decides.

    Attributes:
        canary: decides about a share of the keys, and is taken back by itself where it is worse.
        arms: decide about shares of the keys, side by side, until the configuration changes (A/B).
        shadow: decides in spare time, and is never published.
        salt: another one gives the shares other keys.
        state: a file in which it stands that a canary was taken back, so that a restart does not try it again; null
            remembers it in the process alone.
    """

    canary: Canary | None = None
    arms: Sequence[Arm] = ()
    shadow: Shadow | None = None
    salt: str = ""
    state: str | None = None

    def __post_init__(self) -> None:
        if self.canary is None and not self.arms and self.shadow is None:
            msg = "says nothing: name a canary, arms or a shadow"
            raise ValueError(msg)
        last = max(self.canary.steps, default=self.canary.share) if self.canary else 0.0
        total = last + sum(arm.share for arm in self.arms)
        if total > 1.0 + 1e-9:
            msg = f"the shares of the arms and of the canary's last step must add up to at most 1, were {total:g}"
            raise ValueError(msg)

    @property
    def quiet(self) -> "Rollout":
        """The same, for a replay: nothing is written of it."""
        shadow = self.shadow and replace(self.shadow, topic=None, file=None)
        return replace(self, shadow=shadow, state=None)

    @property
    def deciding(self) -> tuple[Candidate, ...]:
        """Those whose decisions are published, the canary last."""
        return (*self.arms, *([self.canary] if self.canary else []))

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All of them, the shadow last."""
        return (*self.deciding, *([self.shadow] if self.shadow else []))

    def places(self) -> Iterator[tuple[tuple[str | int, ...], Candidate]]:
        """All of them, with where they stand in the file."""
        for number, arm in enumerate(self.arms):
            yield ("rollout", "arms", number), arm
        if self.canary is not None:
            yield ("rollout", "canary"), self.canary
        if self.shadow is not None:
            yield ("rollout", "shadow"), self.shadow


def _check_tolerance(tolerance: float) -> None:
    if not 0.0 <= tolerance < float("inf"):
        msg = f"tolerance must be 0 or more, was {tolerance:g}"
        raise ValueError(msg)
