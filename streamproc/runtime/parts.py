"""What a pipeline runs on."""

from dataclasses import dataclass

from streamproc.core import Clock, Executor, Sink, Source
from streamproc.engine import ScheduleLog


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline runs on.

    Attributes:
        source: where records come from.
        sink: where records go.
        executors: what runs the model's variants, the best one's first, and behind them the models of a rollout; see
            ``executors.runners``.
        clock: the time.
        commit_interval_ns: how often finished positions are committed.
        progress_timeout_ns: how long nothing may get its outcome while there is something to do, before the
            source is made anew, and once more before the pipeline ends; None for ever.
        schedule: takes all that the engine is told, to do it again; None keeps nothing but what ``record`` asks for.
    """

    source: Source
    sink: Sink
    executors: tuple[Executor, ...]
    clock: Clock
    commit_interval_ns: int
    progress_timeout_ns: int | None = None
    schedule: ScheduleLog | None = None
