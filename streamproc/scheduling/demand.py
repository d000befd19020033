"""How many workers what is offered would need: lag cannot tell, in a pipeline that sheds."""

import math

import numpy as np

from streamproc.core import Float64Array, Int64Array
from streamproc.scheduling.latency_model import LatencyModel

_SLOW_S = 5.0
"""For how many workers: three of these after a step, 5% of it are left to learn."""
_FAST_S = 0.3
"""For which variant: load that comes is answered within tenths of a second."""
_FIRST_S = 0.05
"""The first events are taken to have come in at least so long: one event alone is no infinite rate."""
_WINDOW_NS = 10_000_000
"""Bursts are counted in windows like half of a usual budget, which is what a queue can even out."""
_WINDOWS = 512
"""Of those, 5 s."""
_TOGETHER = (1, 2, 4)
"""And in two and four of them: where a window holds few events, their scatter hides a burst."""
_PLAIN = 1_000.0
"""Events in a window from which on the scatter of independent arrivals is nothing beside them."""


class ArrivalRate:
    """Events offered in a second, smoothed, and how far bursts rise above that.

    An exponential average that allows for its short past at the start. Nothing but what it is told: the same
    calls give the same answers.
    """

    __slots__ = ("_counts", "_fast", "_first_ns", "_last_ns", "_slow", "_window", "_window_first")

    def __init__(self) -> None:
        self._first_ns: int | None = None
        self._last_ns = 0
        self._slow = 0.0
        self._fast = 0.0
        # The ring of counts: ``_window`` is the running number of the last one written.
        self._counts = [0] * _WINDOWS
        self._window = self._window_first = 0

    def add(self, count: int, now_ns: int) -> None:
        """So many events were offered now; instants before the last one count as that."""
        if self._first_ns is None:
            self._first_ns = self._last_ns = now_ns
            self._window = self._window_first = now_ns // _WINDOW_NS
        if now_ns > self._last_ns:
            past_s = (now_ns - self._last_ns) * 1e-9
            self._slow *= math.exp(-past_s / _SLOW_S)
            self._fast *= math.exp(-past_s / _FAST_S)
            self._last_ns = now_ns
            if now_ns // _WINDOW_NS != self._window:
                self._advance(now_ns)
        self._slow += count
        self._fast += count
        self._counts[self._window % _WINDOWS] += count

    def per_s(self, now_ns: int) -> float:
        """Events a second over the last 5 s or so."""
        return self._read(self._slow, _SLOW_S, now_ns)

    def fast_per_s(self, now_ns: int) -> float:
        """Events a second over the last 0.3 s or so."""
        return self._read(self._fast, _FAST_S, now_ns)

    def peak_ratio(self, now_ns: int, objective: float = 0.99) -> float:
        """How many times the mean rate must be served so that the share ``objective`` of the events is.

        Of the counts in windows of 10 ms over the last 5 s, the level above which lie ``1 - objective`` of the
        events, over the same level of independent arrivals at this rate: 1 for those, 3 where all come in
        bursts of three times the mean rate. Costs 300 us.

        Returns:
            1 or more.
        """
        if self._first_ns is None:
            return 1.0
        self._advance(max(now_ns, self._last_ns))
        # The window that is being filled would count as a lull.
        held = min(self._window - self._window_first, _WINDOWS - 1)
        counts = np.array(self._counts)[np.arange(self._window - held, self._window) % _WINDOWS]
        return max(_peak_ratio(counts, windows, 1.0 - objective) for windows in _TOGETHER)

    def _read(self, sum_now: float, smooth_s: float, now_ns: int) -> float:
        if self._first_ns is None:
            return 0.0
        now_ns = max(now_ns, self._last_ns)
        past_s = max((now_ns - self._first_ns) * 1e-9, _FIRST_S)
        faded = math.exp(-(now_ns - self._last_ns) * 1e-9 / smooth_s)
        return sum_now * faded / (smooth_s * -math.expm1(-past_s / smooth_s))

    def _advance(self, now_ns: int) -> None:
        window = now_ns // _WINDOW_NS
        for empty in range(max(self._window + 1, window - _WINDOWS + 1), window + 1):
            self._counts[empty % _WINDOWS] = 0
        self._window = window


def _peak_ratio(counts: Int64Array, windows: int, excess: float) -> float:
    """Of the counts of so many windows together, the level over that of independent arrivals."""
    whole = len(counts) // windows
    counts = counts[len(counts) - whole * windows :].reshape(whole, windows).sum(axis=1)
    if not counts.any():
        return 1.0
    value, times = np.unique(counts, return_counts=True)
    level = _level(value.astype(np.float64), times / whole, excess)
    return max(level / _level_of_independent(float(counts.mean()), excess), 1.0)


def _level(value: Float64Array, share: Float64Array, excess: float) -> float:
    """The level above which lies the part ``excess`` of the sum.

    Args:
        value: float64 [n], ascending, from 0 on.
        share: float64 [n], how often each is.
        excess: from 0 to 1.
    """
    # Above value[i] lie the values behind it, each by how far it is higher.
    above_sum = np.cumsum((value * share)[::-1])[::-1]
    above_share = np.cumsum(share[::-1])[::-1]
    excess_at = above_sum - value * above_share
    allowed = excess * above_sum[0]
    # Falling in i; between two values it is a line.
    return float(np.interp(-allowed, -excess_at, value))


def _level_of_independent(mean: float, excess: float) -> float:
    """The same level of counts that are Poisson distributed."""
    if mean > _PLAIN:
        return mean
    value = np.arange(0.0, mean + 10.0 * math.sqrt(mean) + 20.0)
    log_share = value * math.log(mean) - mean
    log_share[1:] -= np.cumsum(np.log(value[1:]))
    return _level(value, np.exp(log_share), excess)


def demand_workers(
    rate_per_s: float,
    latency: LatencyModel,
    *,
    slots: int,
    budget_ns: int,
    send_ns: int,
    objective: float = 0.99,
    peak_ratio: float = 1.0,
) -> float:
    """How many workers like this one would answer the share ``objective`` of what is offered in time.

    Args:
        rate_per_s: events offered in a second, to all of them together.
        latency: how long its batches take.
        slots: how many batches a worker runs at the same time.
        budget_ns: from an event to its decision at the broker.
        send_ns: of that, the time from the end of a batch on.
        objective: the share to be in time, below 1.
        peak_ratio: how far bursts rise above the rate: ``ArrivalRate.peak_ratio``.

    Returns:
        Whole and parts of workers: what several workers answer for their own load can be summed. Where no
        number of workers would do, a batch of one taking longer than the budget, those that could run
        everything, late.
    """
    return (
        rate_per_s
        * peak_ratio
        / worker_per_s(
            latency.run_ns, slots=slots, window_ns=budget_ns - send_ns, objective=objective
        )
    )


def worker_per_s(run_ns: Int64Array, *, slots: int, window_ns: int, objective: float) -> float:
    """The highest rate of independent arrivals of which a worker answers the share ``objective`` in time.

    An event that comes when a batch has just begun waits for all of that one, and then for its own: both must
    fit the window. (Several executors could take turns and shorten the wait; in simulation they gain nothing,
    since each takes what waits as soon as it is free.) What comes meanwhile must fit the next batch, and
    independent arrivals scatter: with b events in a batch, b - g may be expected where g, from exhaustive
    simulation (early drop; see the test), is 1.8 for 99%, 1.8 more for each nine, and less for the smallest batches.

    Args:
        run_ns: int64 [b_max], the time of a batch of b.
        slots: how many batches run at the same time.
        window_ns: from an event to the end of its batch.
        objective: the share, below 1.
    """
    if not 0.0 < objective < 1.0:
        msg = f"the objective must be between 0 and 1, was {objective}"
        raise ValueError(msg)
    size = np.arange(1.0, len(run_ns) + 1)
    capacity_per_ns = slots * float((size / run_ns).max())
    if run_ns[0] > window_ns:
        return capacity_per_ns * 1e9
    longest_ns = window_ns / 2
    # In parts of events, too: where 7.5 fit, a worker does better than where 7 do.
    fitting = np.interp(longest_ns, run_ns, size)
    size = np.append(size[run_ns <= longest_ns], fitting)
    took_ns = np.append(run_ns[run_ns <= longest_ns], max(longest_ns, float(run_ns[0])))
    most_scatter = max(-1.8 * (1.0 + math.log10(1.0 - objective)), 0.2)
    scatter = most_scatter * -np.expm1(-size / (1.2 * most_scatter))
    found_per_ns = slots * float(((size - scatter) / took_ns).max())
    # Where an event in a batch of its own must not wait for a whole one before it, a busy executor is a loss.
    loss_ns = 2 * run_ns[0] - window_ns
    if loss_ns > 0:
        found_per_ns = min(found_per_ns, slots * (1.0 - objective) / float(loss_ns))
    return min(found_per_ns, capacity_per_ns) * 1e9
