"""``streamproc profile MODEL``: where a model's time goes, and what to do next."""

from pathlib import Path
from typing import Any

from streamproc.cli.failures import DONE
from streamproc.cli.screen import line, print_json, result_console, table
from streamproc.core import SystemClock
from streamproc.modeling.bench.targets import batches_of, targets
from streamproc.modeling.graphs import load_graph
from streamproc.modeling.operators import (
    ModelProfile,
    OperatorTime,
    advice,
    measure_roofline,
    profile_model,
)


def profile_onnx(path: Path, *, batch: int, inputs: Path | None, json: bool) -> int:
    """Profile a model's file on one thread, and say what follows.

    Args:
        path: the ONNX file.
        batch: events of a run.
        inputs: recorded ones; None draws numbers.
        json: whether one object goes to stdout.
    """
    graph = load_graph(path)
    (target,) = targets(path, ["onnxruntime"], [1], SystemClock())
    batches = batches_of(target.executor.info, inputs)
    target.executor.close()
    found = profile_model(graph, batches, batch, measure_roofline())
    words = advice(found)
    _show(found, words, as_json=json)
    if json:
        print_json({"model": str(path)} | _told(found) | {"advice": words})
    return DONE


def _show(found: ModelProfile, words: list[str], *, as_json: bool) -> None:
    console = result_console(as_json=as_json)
    line(
        console,
        f"{found.parameters:,} parameters, {found.weight_bytes / 1024:,.0f} KiB; between operators at most "
        f"{found.activation_bytes / 1024:,.0f} KiB; {found.flops / 1e6:,.2f} MFLOP and "
        f"{found.bytes_moved / 1e6:,.2f} MB moved in a batch of {found.batch}",
    )
    line(
        console,
        f"one core here: {found.roofline.flops_per_s / 1e9:,.1f} GFLOP/s, "
        f"{found.roofline.bytes_per_s / 1e9:,.1f} GB/s, so arithmetic is the limit from {found.roofline.ridge:.1f} "
        f"FLOP a byte on; the model reaches {found.reached:.0%} of it",
    )
    line(
        console,
        f"a run: {found.run_written.p50 / 1e3:,.0f} us as it is written, {found.run_fused.p50 / 1e3:,.0f} us fused; "
        f"one event alone {found.run_one.p50 / 1e3:,.0f} us (CPU time, median)",
    )
    for title, times in (("fused", found.fused), ("as it is written", found.written)):
        console.print(_table(title, times))
    costs = table(
        "node", "MFLOP", "MB", "FLOP/byte", "weights KiB", "limit", title="as the shapes say"
    )
    for cost in sorted(found.costs, key=lambda one: -one.flops)[:12]:
        costs.add_row(
            f"{cost.operator} {cost.name}",
            f"{cost.flops / 1e6:,.2f}",
            f"{cost.bytes_moved / 1e6:,.3f}",
            f"{cost.intensity:,.1f}",
            f"{cost.weight_bytes / 1024:,.1f}",
            "arithmetic" if cost.intensity > found.roofline.ridge else "memory",
        )
    console.print(costs)
    for sentence in words:
        line(console, f"- {sentence}")


def _table(title: str, times: tuple[OperatorTime, ...]) -> Any:  # noqa: ANN401 - rich's table
    total = sum(one.took_ns for one in times) or 1.0
    rows = table("operator", "nodes", "us a run", "share", "", title=title)
    for one in times:
        rows.add_row(
            one.operator,
            str(one.count),
            f"{one.took_ns / 1e3:,.1f}",
            f"{one.took_ns / total:.1%}",
            "",
        )
    return rows


def _told(found: ModelProfile) -> dict[str, Any]:
    def times(some: tuple[OperatorTime, ...]) -> list[dict[str, Any]]:
        return [{"operator": t.operator, "nodes": t.count, "us": t.took_ns / 1e3} for t in some]

    return {
        "batch": found.batch,
        "parameters": found.parameters,
        "weight_bytes": found.weight_bytes,
        "activation_bytes": found.activation_bytes,
        "flops": found.flops,
        "bytes_moved": found.bytes_moved,
        "roofline": {
            "flops_per_s": found.roofline.flops_per_s,
            "bytes_per_s": found.roofline.bytes_per_s,
            "ridge_flops_per_byte": found.roofline.ridge,
            "reached": found.reached,
        },
        "cpu_us": {
            "written": found.run_written.p50 / 1e3,
            "fused": found.run_fused.p50 / 1e3,
            "one": found.run_one.p50 / 1e3,
        },
        "fused": times(found.fused),
        "written": times(found.written),
        "nodes": [
            {"operator": c.operator, "name": c.name, "flops": c.flops, "bytes": c.bytes_moved}
            for c in found.costs
        ],
    }
