"""Objectives held against a recording: the evaluator of the service, looking at the books of a replay on its virtual clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from streamproc.config import PipelineConfig
from streamproc.core import BoolArray, Int64Array, OutRecords, TopicPartition
from streamproc.engine import Settled
from streamproc.replay.playback.virtual import Attach
from streamproc.runtime import Assembly
from streamproc.slo import Alert, Counts, Evaluator, Objective, count

if TYPE_CHECKING:
    from streamproc.telemetry import Accounts


class ObjectiveReplay:
    """Looks as often as the service would, whenever an outcome is final; what is asked of ``on_burn`` is not done.

    Args:
        config: the pipeline. Objectives with labels are left out: their truth is in no recording.

    Attributes:
        objectives: those that are looked at.
        evaluator: as in the service.
        alerts: all that would have been told, in order.
    """

    def __init__(self, config: PipelineConfig) -> None:
        self.objectives: tuple[Objective, ...] = tuple(o for o in config.slo if o.labels is None)
        ladder = [variant.name for variant in config.model.ladder]
        self.evaluator = Evaluator(config.name, self.objectives, config.alerts, ladder)
        self.alerts: list[Alert] = []
        self._every_ns = int(config.alerts.every)
        self._accounts: Accounts | None = None
        self._known: dict[str, Counts] = {}
        self._next_ns: int | None = None

    @property
    def attach(self) -> Attach:
        """For ``replay_virtual``."""

        def put_in(assembly: Assembly, now_ns: Callable[[], int]) -> None:  # noqa: ARG001 - outcomes have instants
            self._accounts = assembly.accounts
            assembly.settlement.tap = self

        return put_in

    def sent(
        self, source: TopicPartition, offset: Int64Array, records: OutRecords, settled: Settled
    ) -> None:
        """Nothing is final yet."""

    def ended(
        self,
        source: TopicPartition,  # noqa: ARG002 - the books are asked
        offset: Int64Array,  # noqa: ARG002
        settled: Settled,  # noqa: ARG002
        missed: BoolArray,  # noqa: ARG002
        final_ns: int,
    ) -> None:
        """Time has gone on: look as often as was due until now, at the books as they were."""
        if self._next_ns is None:
            self._look(final_ns)
        while self._next_ns is not None and self._next_ns <= final_ns:
            self._look(self._next_ns)
        self._read()

    def finish(self, last_ns: int) -> None:
        """The last look, when the replay is over."""
        self._read()
        self._look(last_ns)

    def counts(self) -> dict[str, Counts]:
        """What each objective counted in the whole recording."""
        return {o.name: self._known.get(o.name, Counts(0, 0)) for o in self.objectives}

    def _read(self) -> None:
        if self._accounts is not None:
            self._known = {o.name: count(o, self._accounts) for o in self.objectives}

    def _look(self, now_ns: int) -> None:
        nothing = Counts(0, 0)
        self.alerts += self.evaluator.look_at(now_ns, lambda o: self._known.get(o.name, nothing))
        self._next_ns = now_ns + self._every_ns
