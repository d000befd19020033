"""Which windows a burn rate is looked at over: pairs of a long and a short one.

A burn rate of 1 uses a period's budget up exactly at its end. A long window says that it matters, a short one that it
still goes on, so that an alert resolves soon after the trouble (Google's SRE workbook, "Alerting on SLOs", 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from streamproc.core import NS_PER_S
from streamproc.slo.options import Objective

Severity: TypeAlias = Literal["page", "ticket"]

SHORT_MIN_NS: Final = 10 * NS_PER_S
LONG_MIN_NS: Final = 12 * SHORT_MIN_NS
"""A window that holds fewer than a few looks at the books says nothing: with one each 2.5 s these are four."""

_MINUTE_NS: Final = 60 * NS_PER_S
_DAY_NS: Final = 24 * 60 * _MINUTE_NS
_MONTH_NS: Final = 30 * _DAY_NS

_OF_A_MONTH: Final = (
    (60 * _MINUTE_NS, 5 * _MINUTE_NS, 14.4, "page"),  # 2% of the budget
    (360 * _MINUTE_NS, 30 * _MINUTE_NS, 6.0, "page"),  # 5%
    (_DAY_NS, 120 * _MINUTE_NS, 3.0, "ticket"),  # 10%
    (3 * _DAY_NS, 360 * _MINUTE_NS, 1.0, "ticket"),  # 10%
)
_PARTS_OF_A_SESSION: Final = (
    (100, 14.4, "page"),
    (24, 6.0, "page"),
    (6, 3.0, "ticket"),
    (2, 1.0, "ticket"),
)
"""A session's windows are its own: in proportion to a month's they would be seconds. The first page of 6 h 30 min
comes after 3 min 54 s at 14.4, with 14% of the session's budget gone."""
_SHORT_PART: Final = 12
_SHARE_MAX: Final = 0.8
"""Nothing waits for more than this share to be bad: 14.4 times the 10% that 90% allows would be more than all."""


@dataclass(frozen=True, slots=True)
class WindowPair:
    """When it burns too fast.

    Attributes:
        long_ns: the window over which it must burn.
        short_ns: the window over which it must still burn.
        burn: how many times faster than the budget allows.
        severity: whether somebody is woken.
    """

    long_ns: int
    short_ns: int
    burn: float
    severity: Severity

    @property
    def name(self) -> str:
        """The label ``window``: ``1h``."""
        return duration_text(self.long_ns)


def windows_of(objective: Objective) -> tuple[WindowPair, ...]:
    """The pairs of an objective, the fastest first: of 30 days those of the book, of other periods in proportion."""
    most = _SHARE_MAX / objective.budget
    if objective.session is not None:
        return tuple(
            _pair(_whole_s(objective.period_ns / part), None, min(burn, most), severity)
            for part, burn, severity in _PARTS_OF_A_SESSION
        )
    scale = objective.period_ns / _MONTH_NS
    return tuple(
        _pair(_whole_s(long_ns * scale), _whole_s(short_ns * scale), min(burn, most), severity)
        for long_ns, short_ns, burn, severity in _OF_A_MONTH
    )


def lengths_of(pairs: Sequence[WindowPair]) -> tuple[int, ...]:
    """All lengths, each once, ascending."""
    return tuple(sorted({length for pair in pairs for length in (pair.long_ns, pair.short_ns)}))


def duration_text(length_ns: int) -> str:
    """A length as PromQL writes it: ``1h``, ``1m10s``."""
    rest_s, text = length_ns // NS_PER_S, ""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest_s = divmod(rest_s, seconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _pair(long_ns: int, short_ns: int | None, burn: float, severity: str) -> WindowPair:
    long_ns = max(long_ns, LONG_MIN_NS)
    short_ns = max(_whole_s(long_ns / _SHORT_PART) if short_ns is None else short_ns, SHORT_MIN_NS)
    return WindowPair(long_ns, short_ns, burn, "page" if severity == "page" else "ticket")


def _whole_s(length_ns: float) -> int:
    return round(length_ns / NS_PER_S) * NS_PER_S
