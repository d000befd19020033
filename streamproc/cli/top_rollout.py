"""What ``top`` shows of models that are tried beside the one that decides."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from streamproc.cli.screen import table
from streamproc.core import Outcome
from streamproc.reports import share

_IN_TIME: Final = (Outcome.ON_TIME.word, Outcome.DEGRADED.word)


def rollout_view(rollout: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The canaries that were taken back, and a row for each model.

    Args:
        rollout: as ``/api/status`` tells it.
    """
    for name, words in rollout["rolled_back"].items():
        yield Text(f"canary {name} is taken back: {words}", style="bold red")
    rows = table(
        "model", "keys", "events", "in time", "failed", "p50", "p99", "compared", "differed"
    )
    comparisons = dict(rollout["comparisons"])
    for name, arm in rollout["arms"].items():
        outcomes, latency = arm.get("outcomes", {}), arm.get("latency_ms", {})
        ended = sum(outcomes.values())
        in_time = sum(outcomes.get(word, 0) for word in _IN_TIME)
        rows.add_row(
            name,
            f"{arm['share']:.4g}",
            f"{ended:,}",
            share(in_time, ended) or "-",
            f"{arm.get('failed', 0):,}",
            *(f"{latency[name]:.3g} ms" if latency else "-" for name in ("p50", "p99")),
            *_compared(comparisons.pop(name, None)),
            style="bold red" if name in rollout["rolled_back"] else "",
        )
    for name, comparison in comparisons.items():
        failed = f"{comparison['failed']:,}"
        rows.add_row(name, "aside", "-", "-", failed, "-", "-", *_compared(comparison))
    yield rows


def _compared(comparison: Mapping[str, Any] | None) -> tuple[str, str]:
    """How many of its decisions were held against the model's, and which part of them are other ones."""
    if comparison is None or not comparison["compared"]:
        return "-", "-"
    compared = comparison["compared"]
    return f"{compared:,}", share(comparison["differed"], compared)
