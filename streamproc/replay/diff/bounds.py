"""How much may differ, and whether it is more."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from streamproc.replay.diff.shares import Interval, wilson
from streamproc.replay.diff.tally import Difference

_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that may differ: a number of events, or a share of them.

    Attributes:
        most: the number, or the share from 0 to 1.
        is_share: which of the two.
    """

    most: float
    is_share: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``12`` or ``1%``.

        Raises:
            ValueError: it is neither.
        """
        number, percent, rest = text.strip().partition("%")
        try:
            value = float(number) / _PERCENT if percent else float(int(number))
        except ValueError:
            value = -1.0
        if rest or not 0.0 <= value < math.inf or (percent and value > 1.0):
            msg = f"{text!r} is no bound: write a number of events, such as 12, or a share of them, such as 1%"
            raise ValueError(msg)
        return cls(value, bool(percent))

    def __str__(self) -> str:
        """As it is written."""
        return f"{_PERCENT * self.most:g}%" if self.is_share else f"{self.most:,.0f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may differ. None: whatever happens is told, and is no failure.

    Attributes:
        missing: events that the candidate does not know, of the baseline's.
        extra: events that only the candidate knows, of its own.
        changed: decisions with another content, of those that both have made.
        flips: decisions with another label, of those that have one.
        outcomes: events that ended otherwise, of those that both know. Not bounded unless told: a run on
            another machine, or on a virtual clock, sheds others.
        compared_min: so many decisions both must have made, or nothing is known.
    """

    missing: Bound | None = field(default_factory=lambda: Bound(0, is_share=False))
    extra: Bound | None = field(default_factory=lambda: Bound(0, is_share=False))
    changed: Bound | None = field(default_factory=lambda: Bound(0, is_share=False))
    flips: Bound | None = field(default_factory=lambda: Bound(0, is_share=False))
    outcomes: Bound | None = None
    compared_min: int = 1


class Finding(NamedTuple):
    """One way of differing, and whether it is too much.

    Attributes:
        name: which, a field of ``Bounds``.
        part: events that differ so.
        whole: of how many.
        interval: where the true share lies.
        noise: the share that two runs of the same differ in, at most; None where no second one was given.
        bound: the declared one.
        is_ok: False where there is more than the bound allows, beyond noise.
    """

    name: str
    part: int
    whole: int
    interval: Interval
    noise: float | None
    bound: Bound | None
    is_ok: bool


def judge(found: Difference, bounds: Bounds, noise: Difference | None = None) -> list[Finding]:
    """Hold a difference against its bounds.

    With a second run of the baseline, what differs between those two is noise: the bound is then on what
    differs beyond the noise's upper 95% limit, so that a noise that was seen by chance too rarely does not fail a
    candidate. A bound is on what was observed here, not on what it might be elsewhere; the interval tells that.
    """
    declared = {
        "missing": bounds.missing,
        "extra": bounds.extra,
        "changed": bounds.changed,
        "flips": bounds.flips,
        "outcomes": bounds.outcomes,
    }
    counted, noisy = _counts(found), None if noise is None else _counts(noise)
    findings = []
    for name, bound in declared.items():
        part, whole = counted[name]
        floor = None if noisy is None else _floor(*noisy[name])
        is_ok = bound is None or part <= _allowed(bound, whole) + (floor or 0.0) * whole
        findings.append(Finding(name, part, whole, wilson(part, whole), floor, bound, is_ok))
    enough = found.compared >= bounds.compared_min
    least = Bound(bounds.compared_min, is_share=False)
    findings.append(
        Finding("compared", found.compared, found.joined, Interval(0.0, 1.0), None, least, enough)
    )
    return findings


def _counts(found: Difference) -> dict[str, tuple[int, int]]:
    return {
        "missing": (found.missing, found.baseline.events),
        "extra": (found.extra, found.candidate.events),
        "changed": (found.changed, found.compared),
        "flips": (found.flips, found.labelled),
        "outcomes": (found.outcome_changed, found.joined),
    }


def _floor(part: int, whole: int) -> float:
    """The share that is noise; none where none was seen: "exact" must stay exact."""
    return wilson(part, whole).high if part else 0.0


def _allowed(bound: Bound, whole: int) -> float:
    return bound.most * whole if bound.is_share else bound.most
