"""Several variants of a model: the best that keeps up serves, and under load a cheaper one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.core import Float64Array, Int64Array
from streamproc.scheduling.latency_model import LatencyModel

_MARGIN = 0.8
"""A better variant is climbed to only where it would be loaded less than that: at 0.9 bursts throw it back."""
_HOLD_NS = 500_000_000
"""For so long it must have been: two steps back to the best take 1 s, and the rate's fading half of one."""
_HOLD_LONGEST_NS = 32_000_000_000
"""Each climb that failed doubles the time; at a load on the edge this is one attempt a minute."""
_FAILED_WITHIN_NS = 30_000_000_000
"""A climb that lasted longer was right; what came then is another load."""
_NEW_LOAD = 1.5
"""Where the rate rose this far above what a variant can take, it was thrown back by a new load, not by
its own climbing; scatter alone, at 100 events/s and averaged over 0.3 s, stays below."""
_TOLERATED_S = 0.01
"""Waiting events that cannot be in time do not count up to what comes in so long: a chance burst that costs
two events in a hundred is no reason to serve the next half second of them worse."""
_WORTH_IT = 1.1
"""Where no variant holds the load, another must be better by this much to be changed to."""
_LOOKED_AT = 64
"""Waiting events that are looked at, evenly spread: with more, the finish of each would cost more than the batch gains."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compute the decisions.

    Attributes:
        name: of the variant, in decisions and metrics.
        quality: what its decision in time is worth, the best variant's being 1 by custom.
        latency: how long its batches take.
    """

    name: str
    quality: float
    latency: LatencyModel

    def __post_init__(self) -> None:
        if not 0.0 < self.quality < float("inf"):
            msg = f"quality must be above 0, such as the variant's accuracy, was {self.quality}"
            raise ValueError(msg)


class VariantLadder:
    """Chooses the variant of each batch so that quality times goodput is highest.

    Down at once, to the best variant that can hold the load; up one step at a time, when the better one would
    have held it with a margin for half a second. A climb that is thrown back soon, by a load that is no higher
    than before, doubles that time: at no constant load the ladder goes up and down for long.

    Args:
        variants: from the best on, each of less quality than the one before.
        budget_ns: from an event to its decision at the broker, the smallest of the lanes'.

    Raises:
        ValueError: there is no variant, or one is better than the one before.
    """

    __slots__ = (
        "_asked_ns",
        "_budget_ns",
        "_climbed_ns",
        "_fits_since_ns",
        "_floor",
        "_hold_ns",
        "_level",
        "_paces",
        "_rate_highest",
        "_thrown_back",
    )

    def __init__(self, variants: Sequence[Variant], budget_ns: int) -> None:
        quality = [variant.quality for variant in variants]
        if not quality or quality != sorted(quality, reverse=True):
            msg = f"variants must stand from the best on, their qualities were {quality}"
            raise ValueError(msg)
        self._paces = [_Pace(variant) for variant in variants]
        self._budget_ns = budget_ns
        self._level = 0
        self._floor = 0
        self._asked_ns: int | None = None
        self._fits_since_ns: int | None = None
        self._climbed_ns: int | None = None
        self._hold_ns = _HOLD_NS
        self._thrown_back = False
        self._rate_highest = 0.0

    @property
    def level(self) -> int:
        """The variant that was chosen last, 0 being the best."""
        return max(self._level, self._floor)

    def hold(self, floor: int) -> None:
        """Choose this variant or a cheaper one, whatever the load; 0 lets it choose any.

        Raises:
            ValueError: there is no such variant.
        """
        if not 0 <= floor < len(self._paces):
            msg = f"there is no variant {floor}: there are {len(self._paces)}"
            raise ValueError(msg)
        self._floor = floor

    def choose(
        self,
        *,
        deadline_ns: Int64Array,
        rate_per_s: float,
        now_ns: int,
        send_ns: int,
        slots: int,
    ) -> int:
        """The variant of the next batch.

        Args:
            deadline_ns: int64 [n], of the events that wait, ascending.
            rate_per_s: events offered in a second, lately.
            now_ns: the present instant.
            send_ns: the time from the end of a batch to the broker's acknowledgement.
            slots: how many batches run at the same time.

        Returns:
            An index into the variants.
        """
        if len(self._paces) == 1:
            return 0
        load = _Load(self._reachable(deadline_ns, now_ns + send_ns), rate_per_s, now_ns + send_ns)
        for pace in self._paces:
            pace.refresh(slots=slots, window_ns=self._budget_ns - send_ns)
        self._rate_highest = max(self._rate_highest, rate_per_s)
        asked_ns = now_ns if self._asked_ns is None else self._asked_ns
        self._asked_ns = now_ns
        lower = self._lower(load)
        if lower != self._level:
            self._step_down(lower, load)
        elif self._level and self._climbs(load):
            # Nothing waited since the last question: it would have held since then.
            if self._fits_since_ns is None:
                self._fits_since_ns = asked_ns
            if now_ns - self._fits_since_ns >= self._patience_ns():
                self._climb(now_ns)
        else:
            self._fits_since_ns = None
        return self.level

    def _reachable(self, deadline_ns: Int64Array, sent_ns: int) -> Int64Array:
        """Those waiting that the quickest variant could answer; what is lost tells nothing of the others."""
        soonest_ns = sent_ns + min(int(pace.variant.latency.run_ns[0]) for pace in self._paces)
        return deadline_ns[int(deadline_ns.searchsorted(soonest_ns)) :]

    def _lower(self, load: "_Load") -> int:
        """This variant while it keeps up, else the best below that does, else the one that is worth most."""
        worth = []
        for level in range(self._level, len(self._paces)):
            pace = self._paces[level]
            share = load.share_in_time(pace)
            if pace.rate_per_s >= load.rate_per_s and load.tolerates(share):
                return level
            worth.append(pace.worth(load.rate_per_s) * share)
        most = int(np.argmax(worth))
        return self._level + most if worth[most] > _WORTH_IT * worth[0] else self._level

    def _climbs(self, load: "_Load") -> bool:
        """Whether the variant above would hold the load with a margin, or lose less of it than this one."""
        here, above = self._paces[self._level], self._paces[self._level - 1]
        if _MARGIN * above.rate_per_s >= load.rate_per_s:
            return load.tolerates(load.share_in_time(above))
        if here.rate_per_s >= load.rate_per_s:
            return False
        return above.worth(load.rate_per_s) > _WORTH_IT * here.worth(load.rate_per_s)

    def _step_down(self, level: int, load: "_Load") -> None:
        climbed_ns, self._climbed_ns = self._climbed_ns, None
        if climbed_ns is not None:
            self._thrown_back = load.sent_ns - climbed_ns < _FAILED_WITHIN_NS
        self._level = level
        self._fits_since_ns = None
        self._rate_highest = load.rate_per_s

    def _patience_ns(self) -> int:
        """How long the variant above must have fitted."""
        above = self._paces[self._level - 1]
        if not self._thrown_back or self._rate_highest > _NEW_LOAD * above.rate_per_s:
            return _HOLD_NS
        return min(2 * self._hold_ns, _HOLD_LONGEST_NS)

    def _climb(self, now_ns: int) -> None:
        self._hold_ns = self._patience_ns()
        self._level -= 1
        self._climbed_ns = now_ns
        self._fits_since_ns = None


class _Pace:
    """How fast a variant is.

    Attributes:
        variant: which.
        rate_per_s: what it can take for long.
        size: the batch that answers the most for its time.
    """

    __slots__ = ("_best", "_run_ns", "rate_per_s", "size", "variant")

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.rate_per_s = 0.0
        self.size = 1
        self._run_ns: Int64Array | None = None
        self._best: Float64Array = np.empty(0)

    def refresh(self, *, slots: int, window_ns: int) -> None:
        """Look at the latency model again.

        What a variant takes for long is the best rate of the batches that fill half of the window at most: an
        event that comes when a batch has just begun waits for all of that one, and then for its own.

        Args:
            slots: how many batches run at the same time.
            window_ns: from an event to the end of its batch.
        """
        run_ns = self.variant.latency.run_ns
        if run_ns is not self._run_ns:
            rate = np.arange(1.0, len(run_ns) + 1) / run_ns
            self._best = np.maximum.accumulate(rate) * 1e9
            self.size = int(rate.argmax()) + 1
            self._run_ns = run_ns
        largest = int(run_ns.searchsorted(window_ns // 2, side="right"))
        if not largest and run_ns[0] <= window_ns:
            largest = 1  # one at a time is in time where it need not wait: better than nothing
        self.rate_per_s = slots * float(self._best[largest - 1]) if largest else 0.0

    def worth(self, rate_per_s: float) -> float:
        """Quality times the share of the events that it can take."""
        return self.variant.quality * min(1.0, self.rate_per_s / max(rate_per_s, 1e-9))


@dataclass(frozen=True, slots=True)
class _Load:
    """What waits and what comes.

    Attributes:
        deadline_ns: int64 [n], ascending, of those waiting that can still be reached.
        rate_per_s: events offered in a second.
        sent_ns: when a batch of no length that began now would be acknowledged.
    """

    deadline_ns: Int64Array
    rate_per_s: float
    sent_ns: int

    def share_in_time(self, pace: _Pace) -> float:
        """The share of the waiting events that the quickest plan of one executor answers in time; 1 for none.

        The quickest plan: full batches one after the other, and an event done as soon as those before it and
        itself are. What fails here fails under any plan, so that no step down is for nothing.
        """
        waiting = len(self.deadline_ns)
        if not waiting:
            return 1.0
        position = np.arange(0, waiting, max(waiting // _LOOKED_AT, 1))
        run_ns = pace.variant.latency.run_ns
        batches, place = np.divmod(position, pace.size)
        finish_ns = self.sent_ns + batches * run_ns[pace.size - 1] + run_ns[place]
        return float(np.mean(finish_ns <= self.deadline_ns[position]))

    def tolerates(self, share_in_time: float) -> bool:
        """Whether the others are so few that they are left to chance."""
        lost = (1.0 - share_in_time) * len(self.deadline_ns)
        return lost <= _TOLERATED_S * self.rate_per_s
