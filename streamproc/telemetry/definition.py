"""What one metric is."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric.

    Attributes:
        name: as Prometheus shows it; a counter's with ``_total``, an info's with ``_info``.
        kind: what it is.
        text: what it counts or measures.
        labels: its labels' names.
        when: where it is there only sometimes, when; empty for always.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    when: str = ""

    @property
    def unit(self) -> str:
        """``seconds``, or nothing."""
        return "seconds" if self.name.removesuffix("_total").endswith("_seconds") else ""
