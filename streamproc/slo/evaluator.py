"""All objectives of a pipeline: looked at together, told of together."""

from collections.abc import Callable, Mapping, Sequence

from streamproc.slo.alerts import Alert, AlertBook, conditions_of
from streamproc.slo.brake import Brake, Measures, measures_of
from streamproc.slo.counts import NO_LABELS, Counts, LabelCounts, count
from streamproc.slo.options import Alerts, Objective
from streamproc.slo.watch import ObjectiveWatch, Standing
from streamproc.telemetry import Accounts

_NO_LABELS: Mapping[str, LabelCounts] = {}


class Evaluator:
    """Watches objectives; asks nobody for the time.

    Args:
        pipeline: its name.
        objectives: what is promised.
        alerts: how often it is looked, and told.
        ladder: the names of the model's variants, the best one's first.
    """

    def __init__(
        self,
        pipeline: str,
        objectives: Sequence[Objective],
        alerts: Alerts,
        ladder: Sequence[str] = (),
    ) -> None:
        self._pipeline = pipeline
        self.alerts = alerts
        self.book = AlertBook(int(alerts.repeat))
        self.objectives: tuple[Objective, ...] = ()
        self.standings: tuple[Standing, ...] = ()
        self.measures = Measures()
        self.watches: dict[str, ObjectiveWatch] = {}
        self.brakes: dict[str, Brake] = {}
        self.change(objectives, ladder)

    def change(
        self,
        objectives: Sequence[Objective],
        ladder: Sequence[str],
        alerts: Alerts | None = None,
    ) -> None:
        """Go on with other objectives, variants or ways to tell; what counts the same keeps its past, and what fires fires."""
        if alerts is not None:
            self.alerts = alerts
            self.book.repeat_ns = int(alerts.repeat)
        self._ladder = tuple(ladder)
        kept = {watch.objective: watch for watch in self.watches.values()}
        self.objectives = tuple(objectives)
        self.watches = {}
        for objective in self.objectives:
            before = next((o for o in kept if counts_alike(o, objective)), None)
            watch = ObjectiveWatch(objective, int(self.alerts.every))
            if before is not None:
                watch.succeed(kept[before])
            self.watches[objective.name] = watch
        self.brakes = {
            objective.name: self._brake(objective.name, objective)
            for objective in self.objectives
            if objective.on_burn is not None
        }
        self.standings = ()

    def look(
        self,
        now_ns: int,
        accounts: Accounts,
        labels: Mapping[str, LabelCounts] = _NO_LABELS,
    ) -> list[Alert]:
        """Look at the books; gives what is to be told.

        Args:
            now_ns: the present instant, ns since 1970.
            accounts: the books.
            labels: what labels said, by objective.
        """
        return self.look_at(now_ns, lambda o: count(o, accounts, labels.get(o.name, NO_LABELS)))

    def look_at(self, now_ns: int, counted: Callable[[Objective], Counts]) -> list[Alert]:
        """As ``look``, with the counts of each objective."""
        self.standings = tuple(
            watch.look(now_ns, counted(watch.objective)) for watch in self.watches.values()
        )
        for standing in self.standings:
            brake = self.brakes.get(standing.objective.name)
            if brake is not None:
                brake.update(now_ns, standing)
        self.measures = measures_of(self.brakes.items(), self._ladder)
        conditions = [c for s in self.standings for c in conditions_of(self._pipeline, s)]
        return self.book.update(now_ns, conditions)

    def _brake(self, name: str, objective: Objective) -> Brake:
        """The one that is there, with the new options: a reload gives nothing back."""
        if objective.on_burn is None:
            msg = f"{name} does nothing"
            raise ValueError(msg)
        brake = Brake(objective.on_burn)
        if name in self.brakes:
            brake.engaged = self.brakes[name].engaged
        return brake


def counts_alike(before: Objective, after: Objective) -> bool:
    """Whether two objectives count the same events, whatever they promise of them."""
    kinds = ("name", "good", "bad", "latency", "freshness", "labels", "lane")
    return all(getattr(before, kind) == getattr(after, kind) for kind in kinds)
