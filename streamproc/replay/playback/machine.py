"""What runs the batches of a replay on the virtual clock: real outputs, at the times of a latency model."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import NS_PER_MS, Columns, Executor, Int64Array, ModelInfo
from streamproc.runtime import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayMachine:
    """How long everything takes.

    Attributes:
        sweeps: by variant of the model, the best one's first: batch sizes, ascending, and their times in ns.
        send_ns: int64 [n], times from a decision to the broker's acknowledgement: one for always, or several to
            be drawn from.
        jitter: by how much batches take longer: by |x|, x normal with this standard deviation.
        origin: where the batch times come from, for people.
    """

    sweeps: Sequence[Sweep]
    send_ns: Int64Array = field(default_factory=lambda: np.array([NS_PER_MS]))
    jitter: float = 0.0
    origin: str = ""

    def __post_init__(self) -> None:
        if not self.sweeps or not self.send_ns.size or self.send_ns.min() < 0 or self.jitter < 0:
            msg = "a machine needs a sweep, a time of sending, and no time or jitter below 0"
            raise ValueError(msg)


class Times:
    """Draws the times of one replay; the same seed draws the same.

    Args:
        machine: how long everything takes.
        size_max: the largest batch.
        seed: of what is drawn.
    """

    def __init__(self, machine: ReplayMachine, *, size_max: int, seed: int) -> None:
        sizes = np.arange(1, size_max + 1)
        self._run_ns = [_curve(sweep, sizes) for sweep in machine.sweeps]
        self._send_ns = machine.send_ns
        self._jitter = machine.jitter
        self._rng = np.random.default_rng(seed)

    def run_ns(self, variant: int, size: int) -> int:
        """How long a batch of so many events takes."""
        curve = self._run_ns[variant]
        least_ns = curve[min(size, len(curve)) - 1]
        if not self._jitter:
            return least_ns
        return round(least_ns * (1 + abs(self._rng.normal(0.0, self._jitter))))

    def send_ns(self) -> int:
        """How long one sending takes."""
        if len(self._send_ns) == 1:
            return int(self._send_ns[0])
        return int(self._send_ns[self._rng.integers(len(self._send_ns))])


def _curve(sweep: Sweep, sizes: Int64Array) -> list[int]:
    size, run_ns = sweep
    curve: list[int] = np.rint(np.interp(sizes, size, run_ns)).astype(np.int64).tolist()
    return curve


class Silent:
    """Stands for an executor where its answers do not matter: gives zeros of their shape.

    Args:
        info: what it stands for.
        concurrency: how many batches may run at the same time.
        columns: how wide an output is whose shape is not known.
    """

    def __init__(self, info: ModelInfo, *, concurrency: int, columns: int) -> None:
        self.info = info
        self.concurrency = concurrency
        self.inline = True
        self._columns = columns

    @classmethod
    def of(cls, executor: Executor, *, columns: int) -> "Silent":
        """In an executor's place."""
        return cls(executor.info, concurrency=executor.concurrency, columns=max(1, columns))

    def run(self, inputs: Columns) -> Columns:
        """Zeros; see ``Executor``."""
        count = len(next(iter(inputs.values())))
        outputs = self.info.outputs
        if not outputs:
            return {"output": np.zeros((count, self._columns), np.float32)}
        return {
            spec.name: np.zeros((count, *(n or self._columns for n in spec.shape)), spec.dtype)
            for spec in outputs
        }

    def close(self) -> None:
        """Nothing is held."""
