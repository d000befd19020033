"""``python -m streamproc.telemetry.metrics_page [ROOT]``: write the table of all metrics in ``docs/metrics.md``."""

import sys
from pathlib import Path

from streamproc.telemetry.definition import Definition
from streamproc.telemetry.definitions import DEFINITIONS

BEGIN = "<!-- metrics: begin (python -m streamproc.telemetry.metrics_page writes it) -->"
END = "<!-- metrics: end -->"


def table() -> str:
    """All metrics, a row each."""
    head = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, DEFINITIONS)]) + "\n"


def with_table(page: str) -> str:
    """The page with the table between its marks made new.

    Args:
        page: Markdown with ``BEGIN`` and ``END``.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def _row(metric: Definition) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    when = f" There {metric.when}." if metric.when else ""
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text}{when} |"


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "docs" / "metrics.md"
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
