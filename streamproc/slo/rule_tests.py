"""Unit tests of the rules, for ``promtool test rules``: above, below, after recovery, under few events, without data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streamproc.core import NS_PER_S
from streamproc.slo.alerts import BUDGET_BURN, NO_DATA
from streamproc.slo.options import Objective
from streamproc.slo.promql import Series
from streamproc.slo.rules import ObjectiveRules
from streamproc.slo.windows import WindowPair, duration_text
from streamproc.telemetry import names

Test = dict[str, Any]

_ABOVE: Final = 1.1
_BELOW: Final = 0.9
_PLENTY: Final = 20
"""Times the events that a rule asks for."""
_LOOKS: Final = 3
"""Samples in the shortest window."""
_GONE: Final = "_"


@dataclass(frozen=True, slots=True)
class Phase:
    """Some time of steady traffic.

    Attributes:
        length_ns: how long.
        events: a second; None where the series are gone.
        bad_share: of them.
    """

    length_ns: int
    events: float | None
    bad_share: float = 0.0


class RuleTests:
    """The unit tests of one objective's rules.

    Args:
        rules: which.
        labels: that each series has besides.
    """

    def __init__(self, rules: ObjectiveRules, labels: Mapping[str, str]) -> None:
        self._rules = rules
        self._labels = labels
        self._pairs = rules.pairs
        shortest_ns = min(pair.short_ns for pair in rules.pairs)
        self.step_ns = max(NS_PER_S, shortest_ns // _LOOKS // NS_PER_S * NS_PER_S)
        first = rules.pairs[0]
        self._warm_ns = first.long_ns + first.short_ns
        """After so long the first window is full."""
        self._busy = _PLENTY * rules.objective.min_events * NS_PER_S / first.long_ns

    def tests(self) -> list[Test]:
        """All of them."""
        found = [self._fires_above(pair) for pair in self._pairs]
        found += [
            self._silent_below(),
            self._silent_after_recovery(),
            self._silent_under_few_events(),
        ]
        if self._rules.objective.absent:
            found += [self._fires_on_absence(events=0.0), self._fires_on_absence(events=None)]
        return found

    def _fires_above(self, pair: WindowPair) -> Test:
        share = self._share(pair.burn * _ABOVE)
        burning = [other for other in self._pairs if self._share(other.burn) < share]
        phases = [Phase(self._warm_ns, self._busy, share)]
        return self._test(f"fires above {pair.burn:g}", phases, [(self._warm_ns, burning)])

    def _silent_below(self) -> Test:
        least = min(pair.burn for pair in self._pairs)
        phases = [Phase(self._warm_ns, self._busy, self._share(least * _BELOW))]
        return self._test(f"silent below {least:g}", phases, [(self._warm_ns, [])])

    def _silent_after_recovery(self) -> Test:
        fastest = max(pair.burn for pair in self._pairs)
        share = self._share(fastest * _ABOVE)
        burning = [pair for pair in self._pairs if self._share(pair.burn) < share]
        calm_ns = max(pair.short_ns for pair in self._pairs) + 2 * self.step_ns
        phases = [Phase(self._warm_ns, self._busy, share), Phase(calm_ns, self._busy)]
        looks = [(self._warm_ns, burning), (self._warm_ns + calm_ns, [])]
        return self._test("silent after recovery", phases, looks)

    def _silent_under_few_events(self) -> Test:
        few = self._busy / _PLENTY / 4
        phases = [Phase(self._warm_ns, few, 1.0)]
        return self._test("silent under few events", phases, [(self._warm_ns, [])])

    def _fires_on_absence(self, *, events: float | None) -> Test:
        # The window must lie behind the last event, and the wait behind that; a stalled counter is seen a step later.
        quiet_ns = int(self._rules.objective.absent) + 3 * self.step_ns
        phases = [Phase(self._warm_ns, self._busy), Phase(quiet_ns, events)]
        what = "the series are gone" if events is None else "nothing comes"
        test = self._test(f"fires on absence: {what}", phases, [])
        end = duration_text(self._warm_ns + quiet_ns)
        test["alert_rule_test"] = [
            {"eval_time": duration_text(self._warm_ns), "alertname": NO_DATA, "exp_alerts": []},
            {
                "eval_time": end,
                "alertname": NO_DATA,
                "exp_alerts": [
                    {
                        "exp_labels": self._rules.no_data_labels(),
                        "exp_annotations": self._rules.no_data_words(),
                    }
                ],
            },
        ]
        return test

    def _share(self, burn: float) -> float:
        return min(1.0, burn * self._rules.objective.budget)

    def _test(
        self, name: str, phases: Sequence[Phase], looks: Sequence[tuple[int, Sequence[WindowPair]]]
    ) -> Test:
        """One test.

        Args:
            name: of it.
            phases: the traffic.
            looks: at which instants (ns from the begin) which pairs fire; none of them is then absent.
        """
        alerts = [
            {
                "eval_time": duration_text(at_ns),
                "alertname": BUDGET_BURN,
                "exp_alerts": [
                    {
                        "exp_labels": self._rules.burn_labels(pair),
                        "exp_annotations": self._rules.burn_words(pair),
                    }
                    for pair in burning
                ],
            }
            for at_ns, burning in looks
        ]
        alerts += [
            {"eval_time": duration_text(at_ns), "alertname": NO_DATA, "exp_alerts": []}
            for at_ns, _ in looks
        ]
        objective = self._rules.objective
        return {
            "name": f"{objective.name}: {name}",
            "interval": duration_text(self.step_ns),
            "input_series": self._series(phases),
            "alert_rule_test": alerts,
        }

    def _series(self, phases: Sequence[Phase]) -> list[dict[str, str]]:
        """Counters that rise as the phases say."""
        indicator = self._rules.indicator
        part_is_bad = indicator.part_is_bad
        part = [p.bad_share if part_is_bad else 1.0 - p.bad_share for p in phases]
        rest = [1.0 - share for share in part]
        whole = [1.0 for _ in phases]
        written = [self._counter(indicator.part, part, phases)]
        if part_is_bad:  # the total is the sum of both
            written.append(self._counter(self._others(), rest, phases))
        else:
            written.append(self._counter(indicator.total, whole, phases))
        if self._rules.objective.session is not None:
            steps = sum(phase.length_ns for phase in phases) // self.step_ns
            labels = {"pipeline": self._rules.pipeline, "slo": self._rules.objective.name}
            open_s = f"100000+{self.step_ns // NS_PER_S}x{steps}"
            series = Series(names.SLO_SESSION, labels).selector()
            written.append({"series": series, "values": open_s})
        return written

    def _others(self) -> Series:
        """What is counted and is not bad."""
        total, part = self._rules.indicator.total, self._rules.indicator.part
        name, words = next(
            (name, value) for name, value in part.labels.items() if total.labels.get(name) != value
        )
        good = [w for w in total.labels.get(name, "right").split("|") if w not in words.split("|")]
        return Series(total.metric, {**total.labels, name: good[0]})

    def _counter(
        self, series: Series, shares: Sequence[float], phases: Sequence[Phase]
    ) -> dict[str, str]:
        one_of_each = {name: value.split("|")[0] for name, value in series.labels.items()}
        written = Series(series.metric, {**one_of_each, **self._labels}).selector()
        values: list[str] = []
        total = 0.0
        for share, phase in zip(shares, phases, strict=True):
            steps = phase.length_ns // self.step_ns - (0 if not values else 1)
            if phase.events is None:
                values.append(f"{_GONE}x{steps}")
                continue
            rise = share * phase.events * self.step_ns / NS_PER_S
            start = total + rise if values else 0.0
            values.append(f"{start:.12g}+{rise:.12g}x{steps}")
            total = start + rise * steps
        return {"series": written, "values": " ".join(values)}


def unit_tests_of(
    pipeline: str,
    objectives: Sequence[Objective],
    rule_file: str,
    *,
    selector: str = "",
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A file of unit tests, as promtool reads it.

    Args:
        pipeline: its name.
        objectives: whose rules are tested.
        rule_file: where the rules are, from the tests' folder.
        selector: as given for the rules.
        labels: that series must have to be selected by it.
    """
    each = [
        RuleTests(ObjectiveRules(pipeline, objective, selector), labels or {})
        for objective in objectives
    ]
    step_ns = min((tests.step_ns for tests in each), default=NS_PER_S)
    return {
        "rule_files": [rule_file],
        "evaluation_interval": duration_text(step_ns),
        "tests": [test for tests in each for test in tests.tests()],
    }
