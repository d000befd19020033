"""What a user can set of a model's own process."""

from dataclasses import dataclass, field

from streamproc.core import Duration, Size


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a model whose process fails again and again is left alone for a while.

    Attributes:
        failures: so many deaths and timeouts in a row, with no batch answered in between, open the breaker:
            what comes then goes to another variant, or is a dead letter with the reason ``model_unavailable``.
        window: they count together only where each comes within so long of the one before.
        pause: for so long nothing is tried; then one batch is, and where that fails too the pause doubles.
        pause_max: the longest pause.
    """

    failures: int = 8
    window: Duration = Duration.parse("1m")  # noqa: RUF009 - immutable
    pause: Duration = Duration.parse("1s")  # noqa: RUF009 - immutable
    pause_max: Duration = Duration.parse("30s")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.failures < 1:
            msg = f"failures must be at least 1, was {self.failures}"
            raise ValueError(msg)
        if not 0 < self.pause <= self.pause_max:
            msg = (
                f"pause must be above 0 and at most pause_max, was {self.pause} of {self.pause_max}"
            )
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Isolation:
    """A model in a process of its own: it may crash, hang or run out of memory.

    Attributes:
        timeout: how long a batch may take; then the process is killed, and the batch tried in parts by another.
        start_timeout: how long a new process may take to load and warm the model.
        memory_limit: how much memory of its own the process may have, the model included (``RLIMIT_DATA``);
            beyond it an allocation fails, and the process is replaced. None leaves it to the machine.
        spare: whether one more process stands by, loaded and warm, to take over at once.
        breaker: when it is left alone for a while.
    """

    timeout: Duration = Duration.parse("2s")  # noqa: RUF009 - immutable
    start_timeout: Duration = Duration.parse("1m")  # noqa: RUF009 - immutable
    memory_limit: Size | None = None
    spare: bool = True
    breaker: Breaker = field(default_factory=Breaker)

    def __post_init__(self) -> None:
        for name in ("timeout", "start_timeout"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be above 0, was {getattr(self, name)}"
                raise ValueError(msg)
        if self.memory_limit is not None and self.memory_limit < MEMORY_MIN:
            msg = f"memory_limit must be at least {MEMORY_MIN}, was {self.memory_limit}: Python alone needs that"
            raise ValueError(msg)


MEMORY_MIN = Size.parse("128MiB")
