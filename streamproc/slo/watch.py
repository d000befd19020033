"""One objective, watched: its windows, how fast its budget burns, and what is left of it."""

from dataclasses import dataclass
from typing import Final

from streamproc.core import Int64Array
from streamproc.slo.counts import Counts
from streamproc.slo.options import Objective
from streamproc.slo.rings import CountRing, Increase
from streamproc.slo.windows import WindowPair, lengths_of, windows_of

_NOTHING: Final = Increase(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast a budget burns over a pair of windows.

    Attributes:
        pair: the windows.
        long: the burn rate over the long one; 0 where nothing came.
        short: over the short one.
        events: that came in the long one.
        firing: whether somebody is to be told.
    """

    pair: WindowPair
    long: float
    short: float
    events: float
    firing: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How an objective stands.

    Attributes:
        objective: which.
        in_session: False where its session is closed.
        since_open_ns: for how long its session has been open; None where it has none, or it is closed.
        period: what came in the period.
        budget_left: the share of the period's budget that is left, below 0 where it is overspent.
        burns: of each pair of windows, the fastest first.
        absent: whether nothing came for too long.
    """

    objective: Objective
    in_session: bool
    since_open_ns: int | None
    period: Increase
    budget_left: float
    burns: tuple[Burn, ...]
    absent: bool

    @property
    def good_share(self) -> float | None:
        """The share that was good in the period; None where nothing came."""
        bad = self.period.bad_share
        return None if bad is None else 1.0 - bad

    @property
    def smoulders(self) -> bool:
        """Whether any short window burns faster than the budget allows."""
        return any(burn.short >= 1.0 for burn in self.burns)

    @property
    def firing(self) -> dict[str, int]:
        """How many alerts fire, by severity; absence is a page."""
        counts = {"page": int(self.absent), "ticket": 0}
        for burn in self.burns:
            counts[burn.pair.severity] += burn.firing
        return counts

    def fires(self, severity: str) -> bool:
        """Whether a page, or at least a ticket, fires."""
        wanted = ("page",) if severity == "page" else ("page", "ticket")
        return any(burn.firing and burn.pair.severity in wanted for burn in self.burns)


class ObjectiveWatch:
    """Keeps what an objective needs of the past; its memory is bounded by ``SAMPLES_MAX`` a window.

    Args:
        objective: which.
        every_ns: how often it is looked at.
    """

    def __init__(self, objective: Objective, every_ns: int) -> None:
        self.objective = objective
        self.pairs = windows_of(objective)
        lengths = {*lengths_of(self.pairs), objective.period_ns}
        if objective.absent:
            lengths.add(int(objective.absent))
        self._rings = {length: CountRing(length, every_ns) for length in sorted(lengths)}
        self._first_ns: int | None = None
        self._base = Counts(0, 0)
        self._last = Counts(0, 0)

    def look(self, now_ns: int, counted: Counts) -> Standing:
        """Take a sample and say how things stand.

        Args:
            now_ns: the present instant, ns since 1970.
            counted: what this process has counted since its start.
        """
        now = Counts(self._base.total + counted.total, self._base.bad + counted.bad)
        self._last = now
        if self._first_ns is None:
            self._first_ns = now_ns
        session = self.objective.session
        opened_ns = None if session is None else session.opened_ns(now_ns)
        in_session = session is None or opened_ns is not None
        if in_session:
            standing = self._standing(now_ns, now, opened_ns)
        else:
            quiet = tuple(Burn(pair, 0.0, 0.0, 0.0, firing=False) for pair in self.pairs)
            standing = Standing(
                self.objective,
                in_session=False,
                since_open_ns=None,
                period=_NOTHING,
                budget_left=1.0,
                burns=quiet,
                absent=False,
            )
        for ring in self._rings.values():
            ring.add(now_ns, now)
        return standing

    def _standing(self, now_ns: int, now: Counts, opened_ns: int | None) -> Standing:
        objective = self.objective

        def within(length_ns: int) -> Increase:
            return self._rings[length_ns].increase(now_ns, now, since_ns=opened_ns)

        period = within(objective.period_ns)
        spent = (period.bad_share or 0.0) / objective.budget
        return Standing(
            objective,
            in_session=True,
            since_open_ns=None if opened_ns is None else now_ns - opened_ns,
            period=period,
            budget_left=1.0 - spent,
            burns=tuple(
                self._burn(pair, within(pair.long_ns), within(pair.short_ns)) for pair in self.pairs
            ),
            absent=self._is_absent(now_ns, now, opened_ns),
        )

    def _burn(self, pair: WindowPair, long: Increase, short: Increase) -> Burn:
        budget = self.objective.budget
        rates = [(increase.bad_share or 0.0) / budget for increase in (long, short)]
        enough = long.total >= self.objective.min_events
        firing = enough and all(rate > pair.burn for rate in rates)
        return Burn(pair, rates[0], rates[1], long.total, firing)

    def _is_absent(self, now_ns: int, now: Counts, opened_ns: int | None) -> bool:
        patience_ns = int(self.objective.absent)
        since_ns = max(self._first_ns or 0, opened_ns or 0)
        if not patience_ns or now_ns - since_ns < patience_ns:
            return False
        return self._rings[patience_ns].increase(now_ns, now).total == 0

    def succeed(self, other: "ObjectiveWatch") -> None:
        """Go on with what another one knows, which counted the same."""
        self._base, self._first_ns, self._last = other._base, other._first_ns, other._last  # noqa: SLF001
        there = other._rings  # noqa: SLF001 - the same class
        for length in self._rings:
            if length in there and there[length].step_ns == self._rings[length].step_ns:
                self._rings[length] = there[length]
            else:  # the next longer one remembers as far, if not as finely
                donor = min((n for n in there if n >= length), default=max(there))
                self._rings[length].restore(there[donor].samples())

    def saved(self) -> tuple[Counts, dict[int, Int64Array]]:
        """The counts now, and the samples of each window by its length in ns."""
        return self._last, {length: ring.samples() for length, ring in self._rings.items()}

    def restore(self, counts: Counts, samples: dict[int, Int64Array]) -> None:
        """Go on where another life ended: this process's counts begin at 0 again, the sums go on."""
        self._base = counts
        for length, ring in self._rings.items():
            if length in samples:
                ring.restore(samples[length])
