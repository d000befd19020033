"""An engine that writes down what it is told, and when."""

from collections.abc import Collection, Mapping, Sequence

from streamproc.codecs import DecisionEncoder
from streamproc.core import (
    NOTHING_BEYOND,
    Columns,
    Int64Array,
    Jump,
    ModelError,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine.effects import Effect, Infer
from streamproc.engine.engine import Engine
from streamproc.engine.isolate import text_of
from streamproc.engine.judge import Verdict
from streamproc.engine.parts import EngineParts
from streamproc.engine.rescue import Rescued
from streamproc.engine.rollout_plan import RolloutPlan
from streamproc.engine.schedule_log import Call, ScheduleLog
from streamproc.scheduling import Reload


class LoggedEngine(Engine):
    """The engine, with a schedule log of every call that can change what it does.

    Args:
        parts: as of ``Engine``; their clock is a ``LoggedClock`` of the same log.
        batch_room: as of ``Engine``.
        keep_order: as of ``Engine``.
        log: takes the calls.
    """

    def __init__(
        self, parts: EngineParts, *, batch_room: int, keep_order: bool, log: ScheduleLog
    ) -> None:
        self._log = log
        self._draining = False
        super().__init__(parts, batch_room=batch_room, keep_order=keep_order)

    @property
    def draining(self) -> bool:
        """Whether nothing more will be taken in."""
        return self._draining

    @draining.setter
    def draining(self, draining: bool) -> None:
        if draining != self._draining:
            self._log.note(Call.DRAINING, int(draining))
        self._draining = draining

    def assigned(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,
    ) -> None:
        """See ``Engine``; only transactions know of records done beyond a position, and those are not in the log."""
        pairs = [n for source, at in positions.items() for n in (self._log.source(source), at)]
        self._log.note(Call.ASSIGNED, len(positions), *pairs)
        super().assigned(positions, beyond)

    def leave(self, sources: Collection[TopicPartition]) -> None:
        """See ``Engine``."""
        self._log.note(Call.LEAVE, len(sources), *map(self._log.source, sources))
        super().leave(sources)

    def release(self, sources: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """See ``Engine``."""
        self._log.note(Call.RELEASE, len(sources), *map(self._log.source, sources))
        return super().release(sources)

    def at_ends(self, sources: Collection[TopicPartition]) -> None:
        """See ``Engine``."""
        self._log.note(Call.AT_ENDS, len(sources), *map(self._log.source, sorted(sources)))
        super().at_ends(sources)

    def ingest(self, batch: RecordBatch) -> None:
        """See ``Engine``."""
        log = self._log
        log.cut(batch.arrival_ns)
        log.note(Call.INGEST, log.source(batch.source), int(batch.offset[0]), len(batch))
        super().ingest(batch)

    def next_effects(self, now_ns: int) -> list[Effect]:
        """See ``Engine``."""
        self._log.note_at(Call.EFFECTS, now_ns)
        effects = super().next_effects(now_ns)
        for effect in effects:
            if isinstance(effect, Infer):
                self._log.note(Call.RUN, effect.run, effect.size, effect.variant)
        return effects

    def completed(
        self,
        run: int,
        outputs: Columns | Rescued,
        finished_ns: int,
        *,
        variant: int | None = None,
        executed_ns: tuple[int, int] | None = None,
    ) -> None:
        """See ``Engine``."""
        log, ran = self._log, -1 if variant is None else variant
        if isinstance(outputs, Rescued):
            numbers = [run, ran]
            for span, error in outputs.failed:
                numbers += [*span, *self._texts(error)]
            log.note_at(Call.RESCUED, finished_ns, len(numbers), *numbers)
        else:
            log.note_at(Call.COMPLETED, finished_ns, run, ran)
        super().completed(run, outputs, finished_ns, variant=variant, executed_ns=executed_ns)

    def failed(self, run: int, error: Exception, finished_ns: int) -> None:
        """See ``Engine``."""
        self._log.note_at(Call.FAILED, finished_ns, run, *self._texts(error))
        super().failed(run, error, finished_ns)

    def _texts(self, error: Exception) -> tuple[int, int]:
        """The texts of a failure: its reason, where the model gave one, and its words."""
        reason, words = "", text_of(error)
        if isinstance(error, ModelError):
            reason, words = str(error.reason), error.detail
        return self._log.text(reason), self._log.text(words)

    def acknowledged(self, ticket: int, acknowledged_ns: int) -> None:
        """See ``Engine``."""
        log = self._log
        log.cut(acknowledged_ns)
        log.note_at(Call.ACKNOWLEDGED, acknowledged_ns, ticket)
        super().acknowledged(ticket, acknowledged_ns)

    def reload(
        self,
        scheduling: Reload,
        *,
        encoders: Sequence[DecisionEncoder],
        lane_budgets_ns: Sequence[int] | None,
        batch_room: int,
        rollout: RolloutPlan,
        words: str = "",
    ) -> None:
        """See ``Engine``."""
        self._log.note(Call.RELOADED, self._log.text(words))
        super().reload(
            scheduling,
            encoders=encoders,
            lane_budgets_ns=lane_budgets_ns,
            batch_room=batch_room,
            rollout=rollout,
        )

    def roll_back(self, why: Verdict) -> None:
        """See ``Engine``."""
        self._log.note(Call.TAKEN_BACK, *map(self._log.text, why))
        super().roll_back(why)

    def skipped(self, source: TopicPartition, jump: Jump | None) -> None:
        """See ``Engine``."""
        start, end = (-1, -1) if jump is None else jump
        self._log.note(Call.SKIPPED, self._log.source(source), start, end)
        super().skipped(source, jump)

    def hold_variant(self, floor: int) -> None:
        """See ``Engine``."""
        self._log.note(Call.HOLD, floor)
        super().hold_variant(floor)
