"""What ``profile`` shows in the terminal."""

from pathlib import Path

from rich.console import Console

from streamproc.cli.screen import line, table
from streamproc.reports import Profile

_OPERATORS_SHOWN = 8
_FUNCTIONS_SHOWN = 10


def show(console: Console, found: Profile, out: Path) -> None:
    """Tables of what takes most, and where the page is."""
    cpu = "" if found.cpu_s is None else f", {found.cpu_s:.2f} s of CPU"
    line(
        console,
        f"{found.name}: {found.what}; {found.events:,} events in {found.wall_s:.2f} s{cpu}",
        "bold",
    )
    rows = table("stage", "share", "us an event", "")
    for stage in found.stages:
        rows.add_row(stage.name, f"{stage.share:.1%}", f"{stage.us_per_event:.3f}", stage.words)
    console.print(rows)
    if found.lanes:
        names = list(dict.fromkeys(n for _, means in found.lanes.values() for n in means))
        lanes = table("lane", "events", *(f"{name} ms" for name in names), "")
        for lane, (events, means) in found.lanes.items():
            cells = (f"{means[name]:.3f}" if name in means else "-" for name in names)
            lanes.add_row(lane, f"{events:,}", *cells, "")
        console.print(lanes)
    if found.operators:
        nodes = table("operator", "share", "us a call", "calls", "of")
        whole = sum(node.total_us for node in found.operators) or 1
        for node in found.operators[:_OPERATORS_SHOWN]:
            nodes.add_row(
                node.kind,
                f"{node.total_us / whole:.1%}",
                f"{node.total_us / max(1, node.calls):.1f}",
                f"{node.calls:,}",
                f"{node.node} ({node.variant})",
            )
        console.print(nodes)
    if found.stacks:
        python = table("Python function", "itself", "with calls", "")
        for function in found.functions(_FUNCTIONS_SHOWN):
            python.add_row(function.name, f"{function.own:.1%}", f"{function.total:.1%}", "")
        console.print(python)
    line(console, f"the page with the flame graph: {out}")
