"""How the executors' processes and servers stand, for the metrics."""

from collections.abc import Mapping, Sequence

from streamproc.core import Executor
from streamproc.executors import IsolatedExecutor, RemoteExecutor
from streamproc.telemetry import ModelProcesses, ModelStates


def model_states(executors: Sequence[Executor], reloads: Mapping[str, int]) -> ModelStates:
    """How the model is.

    Args:
        executors: of its variants.
        reloads: how many there were, by result.
    """
    processes = {}
    for executor in executors:
        if isinstance(executor, IsolatedExecutor | RemoteExecutor):
            health = executor.health()
            processes[executor.info.variant] = ModelProcesses(
                ready=health.ready,
                restarts=health.restarts,
                breakers={health.breaker: 1},
                opened=health.opened_total,
            )
    return ModelStates(processes, reloads)
