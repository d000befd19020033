"""How long each operator of a model takes, as onnxruntime's own profiler tells it, fused and as it is written."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamproc.core import Columns
from streamproc.modeling.graphs import Graph, parameters_total
from streamproc.modeling.measuring import Timing, in_turns
from streamproc.modeling.operators.costs import Cost, activation_bytes_max, costs_of
from streamproc.modeling.operators.roofline import Roofline

_RUNS = 50
_WARM_UP = 5
_ERROR = 3


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """A kind of operator in a session.

    Attributes:
        operator: its kind, of the fused graph such as ``FusedConv``.
        count: how many there are.
        took_ns: what all of them take in one run, wall time, the medians added up.
    """

    operator: str
    count: int
    took_ns: float


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Where a model's time goes.

    Attributes:
        batch: events of a run.
        parameters: numbers in its constants.
        weight_bytes: what they take.
        activation_bytes: the most that tensors between operators take at the same time.
        costs: of each node as it is written.
        written: times of the graph as it is written, the longest first.
        fused: of the graph as onnxruntime changes it.
        run_written: CPU time of a run as it is written.
        run_fused: and fused.
        run_one: and fused, of one event alone.
        roofline: what this machine can do.
    """

    batch: int
    parameters: int
    weight_bytes: int
    activation_bytes: int
    costs: tuple[Cost, ...]
    written: tuple[OperatorTime, ...]
    fused: tuple[OperatorTime, ...]
    run_written: Timing
    run_fused: Timing
    run_one: Timing
    roofline: Roofline

    @property
    def flops(self) -> int:
        """Operations of a run."""
        return sum(cost.flops for cost in self.costs)

    @property
    def bytes_moved(self) -> int:
        """Bytes that a run moves, each operator for itself."""
        return sum(cost.bytes_moved for cost in self.costs)

    @property
    def reached(self) -> float:
        """The part of the roofline that a fused run reaches: its operators' least times over its time."""
        bound = sum(self.roofline.bound_s(c.flops, c.bytes_moved) for c in self.costs)
        return bound * 1e9 / self.run_fused.p50


def profile_model(
    model: Graph, batches: Callable[[int], Columns], batch: int, roofline: Roofline
) -> ModelProfile:
    """Profile a model on one thread.

    Args:
        model: the model.
        batches: gives inputs for so many events.
        batch: events of a run.
        roofline: what this machine can do.

    Raises:
        ConfigError: its shapes cannot be known.
    """
    costs = costs_of(model, batch)
    inputs, one = batches(batch), batches(1)
    written, fused = (_operators(model, inputs, fused=kind) for kind in (False, True))
    sessions = {kind: _session(model, fused=kind) for kind in (False, True)}
    timings = in_turns(
        {
            "written": lambda: sessions[False].run(None, inputs),
            "fused": lambda: sessions[True].run(None, inputs),
            "one": lambda: sessions[True].run(None, one),
        },
        rounds=10,
    )
    return ModelProfile(
        batch=batch,
        parameters=parameters_total(model),
        weight_bytes=sum(len(t.raw_data) or t.ByteSize() for t in model.graph.initializer),
        activation_bytes=activation_bytes_max(model, batch),
        costs=tuple(costs),
        written=written,
        fused=fused,
        run_written=timings["written"],
        run_fused=timings["fused"],
        run_one=timings["one"],
        roofline=roofline,
    )


def _session(model: Graph, *, fused: bool, prefix: str | None = None) -> Any:  # noqa: ANN401 - no types
    import onnxruntime  # noqa: PLC0415 - 0.1 s

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERROR
    if not fused:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if prefix is not None:
        settings.enable_profiling = True
        settings.profile_file_prefix = prefix
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


def _operators(model: Graph, inputs: Columns, *, fused: bool) -> tuple[OperatorTime, ...]:
    """The kinds of operators and their times, the longest first."""
    with tempfile.TemporaryDirectory(prefix="streamproc-profile-") as folder:
        session = _session(model, fused=fused, prefix=str(Path(folder) / "run"))
        for _ in range(_WARM_UP + _RUNS):
            session.run(None, inputs)
        told = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return times_of(told)


def times_of(events: list[dict[str, Any]]) -> tuple[OperatorTime, ...]:
    """The times by kind of operator out of onnxruntime's events; the first runs are left out."""
    by_node: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time"):
            by_node[event["args"]["op_name"], event["name"]].append(event["dur"])
    totals: dict[str, list[float]] = defaultdict(list)
    for (operator, _), took_us in by_node.items():
        counted = took_us[_WARM_UP:] or took_us
        totals[operator].append(1e3 * float(np.median(counted)))
    found = [OperatorTime(name, len(means), sum(means)) for name, means in totals.items()]
    return tuple(sorted(found, key=lambda one: -one.took_ns))
