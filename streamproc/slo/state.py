"""What of the windows survives a restart: a file, replaced as a whole.

Kept are the sums and the samples of every window, and which alerts fired: an alert that was told is not told again, and
one that ended meanwhile is told as ended. Counters of the metrics begin at 0 again, as Prometheus expects. Not kept is
which labels were waited for.
"""

import logging
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from streamproc.core import Int64Array, write_whole
from streamproc.slo.alerts import Alert
from streamproc.slo.counts import Counts
from streamproc.slo.evaluator import Evaluator

log = logging.getLogger(__name__)

_FORM: Final = 1
_COLUMNS: Final = 3
_BYTES_MAX: Final = 64 << 20


class _Objective(msgspec.Struct):
    name: str
    total: int
    bad: int
    windows: dict[str, bytes]


class _State(msgspec.Struct):
    form: int
    pipeline: str
    objectives: list[_Objective]
    firing: list[Alert]
    braking: list[str] = []


def save(path: Path, pipeline: str, evaluator: Evaluator) -> None:
    """Write the file; a failure is logged, and costs nothing else."""
    objectives = []
    for watch in evaluator.watches.values():
        counts, samples = watch.saved()
        windows = {str(length): array.tobytes() for length, array in samples.items()}
        objectives.append(_Objective(watch.objective.name, counts.total, counts.bad, windows))
    braking = [name for name, brake in evaluator.brakes.items() if brake.engaged]
    state = _State(_FORM, pipeline, objectives, evaluator.book.firing, braking)
    try:
        write_whole(path, msgspec.msgpack.encode(state))
    except OSError as error:
        log.warning("alerts.state: %s cannot be written: %s", path, error.strerror)


def restore(path: Path, pipeline: str, evaluator: Evaluator) -> None:
    """Go on where another life ended; a file that is not there, or is no such file, begins anew."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            log.warning("alerts.state: %s is too large to be ours: the windows begin anew", path)
            return
        state = msgspec.msgpack.decode(path.read_bytes(), type=_State)
        windows = {o.name: _windows_of(o) for o in state.objectives}
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        log.warning("alerts.state: %s cannot be read: %s; the windows begin anew", path, error)
        return
    if state.form != _FORM or state.pipeline != pipeline:
        log.warning("alerts.state: %s is of %s: the windows begin anew", path, state.pipeline)
        return
    for kept in state.objectives:
        watch = evaluator.watches.get(kept.name)
        if watch is not None:
            watch.restore(Counts(kept.total, kept.bad), windows[kept.name])
    names = set(evaluator.watches)
    evaluator.book.restore(alert for alert in state.firing if alert.labels.get("slo") in names)
    for name in state.braking:
        if name in evaluator.brakes:
            evaluator.brakes[name].engaged = True


def _windows_of(objective: _Objective) -> dict[int, Int64Array]:
    return {
        int(length): np.frombuffer(data, dtype=np.int64).reshape(-1, _COLUMNS)
        for length, data in objective.windows.items()
    }
