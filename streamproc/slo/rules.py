"""Prometheus rules of objectives: what is recorded of them, and what alerts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from streamproc.core import NS_PER_S
from streamproc.slo.alerts import BUDGET_BURN, NO_DATA
from streamproc.slo.options import Objective, percent
from streamproc.slo.promql import Indicator, indicator_of, quoted
from streamproc.slo.windows import WindowPair, duration_text, lengths_of, windows_of
from streamproc.telemetry import names

Rule = dict[str, Any]

_INTERVAL_MAX_NS: Final = 30 * NS_PER_S
_SLOW_INTERVAL: Final = "5m"
_SEVERAL: Final = 10
"""A short window is looked at so often."""


class ObjectiveRules:
    """The rules of one objective.

    Args:
        pipeline: its name.
        objective: which.
        selector: matchers that each series must have besides, such as ``job="ticks"``: histograms carry no
            pipeline's name.
    """

    def __init__(self, pipeline: str, objective: Objective, selector: str = "") -> None:
        self.pipeline = pipeline
        self.objective = objective
        self.pairs = windows_of(objective)
        self.indicator: Indicator = indicator_of(pipeline, objective)
        self._selector = selector
        self._labels = {"pipeline": pipeline, "slo": objective.name}

    @property
    def interval_ns(self) -> int:
        """How often the rules are looked at."""
        shortest_ns = min(pair.short_ns for pair in self.pairs)
        return max(NS_PER_S, min(_INTERVAL_MAX_NS, shortest_ns // _SEVERAL))

    def groups(self) -> list[Rule]:
        """Two groups: what must be looked at often, and the budget."""
        name = f"streamproc:{self.pipeline}:{self.objective.name}"
        often = [*self._ratios(), *self._events(), *(self._burn(pair) for pair in self.pairs)]
        if self.objective.absent:
            often.append(self._no_data())
        return [
            {"name": name, "interval": duration_text(self.interval_ns), "rules": often},
            {"name": f"{name}:budget", "interval": _SLOW_INTERVAL, "rules": list(self._budget())},
        ]

    def burn_labels(self, pair: WindowPair) -> dict[str, str]:
        """The labels of the alert of a pair of windows, without its name."""
        return {**self._labels, "severity": pair.severity, "window": pair.name}

    def burn_words(self, pair: WindowPair) -> dict[str, str]:
        """Its annotations; without numbers of the moment, so that a unit test can expect them."""
        long, short = (duration_text(n) for n in (pair.long_ns, pair.short_ns))
        promised = percent(self.objective.objective / 100)
        return {
            "summary": f"{self.pipeline}: {self.objective.name} burns its budget {pair.burn:g} times too fast",
            "description": f"over {long} and {short} more than {pair.burn:g} times as fast as {promised} allows",
        }

    def no_data_labels(self) -> dict[str, str]:
        """The labels of the alert on absence, without its name."""
        return {**self._labels, "severity": "page"}

    def no_data_words(self) -> dict[str, str]:
        """Its annotations."""
        length = duration_text(int(self.objective.absent))
        return {
            "summary": f"{self.pipeline}: no event counted towards {self.objective.name} for {length}"
        }

    def _ratios(self) -> Iterator[Rule]:
        for length_ns in lengths_of(self.pairs):
            window = duration_text(length_ns)
            bad, total = self._bad(window), self._total(window)
            yield self._record(f"streamproc:slo_bad:ratio{window}", f"{bad} / {total}")

    def _events(self) -> Iterator[Rule]:
        for window in dict.fromkeys(pair.name for pair in self.pairs):
            yield self._record(f"streamproc:slo_events:increase{window}", self._total(window))

    def _burn(self, pair: WindowPair) -> Rule:
        mine = _matching(self._labels)
        threshold = f"{pair.burn:.12g} * {self.objective.budget:.12g}"
        windows = (pair.name, duration_text(pair.short_ns))
        conditions = [f"streamproc:slo_bad:ratio{window}{mine} > {threshold}" for window in windows]
        conditions.append(
            f"streamproc:slo_events:increase{pair.name}{mine} >= {self.objective.min_events}"
        )
        if self.objective.session is not None:
            conditions.append(self._in_session(pair.short_ns))
        return {
            "alert": BUDGET_BURN,
            "expr": " and ".join(conditions),
            "labels": {"severity": pair.severity, "window": pair.name, **self._labels},
            "annotations": self.burn_words(pair),
        }

    def _no_data(self) -> Rule:
        """Half of the time as a window, half as a wait: a process that has just begun has had no time to count."""
        half_ns = max(int(self.objective.absent) // 2 // NS_PER_S * NS_PER_S, NS_PER_S)
        window = duration_text(half_ns)
        none = f"{self._total(window)} == 0"
        if self.objective.session is not None:
            none = f"({none} and {self._in_session(half_ns)})"
        gone = f"sum(absent_over_time({self.indicator.total.selector(self._selector)}[{window}]))"
        return {
            "alert": NO_DATA,
            "expr": f"{none} or {gone}",
            "for": window,
            "labels": self.no_data_labels(),
            "annotations": self.no_data_words(),
        }

    def _budget(self) -> Iterator[Rule]:
        period = duration_text(self.objective.period_ns)
        budget = f"{self.objective.budget:.12g}"
        left = f"1 - {self._bad(period)} / {self._total(period)} / {budget}"
        yield self._record(
            "streamproc:slo_objective:ratio", f"vector({1 - self.objective.budget:.12g})"
        )
        yield self._record("streamproc:slo_budget_left:ratio", left)

    def _in_session(self, since_ns: int) -> str:
        """Whether the session has been open for so long; PromQL knows no time zones, so the service tells."""
        open_s = f"max({names.SLO_SESSION}{_matching(self._labels)})"
        return f"on () {open_s} >= {since_ns // NS_PER_S}"

    def _total(self, window: str) -> str:
        return self.indicator.total_in(window, self._selector)

    def _bad(self, window: str) -> str:
        return self.indicator.bad_in(window, self._selector)

    def _record(self, name: str, expression: str) -> Rule:
        return {"record": name, "expr": expression, "labels": self._labels}


def rules_of(pipeline: str, objectives: Sequence[Objective], selector: str = "") -> dict[str, Any]:
    """A file of rules, as Prometheus reads it."""
    rules = [ObjectiveRules(pipeline, objective, selector) for objective in objectives]
    return {"groups": [group for rule in rules for group in rule.groups()]}


def _matching(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in labels.items()) + "}"
