"""An engine that writes down what it is told, and when."""

from collections.abc import Collection, Mapping

from streamproc.core import Columns, Jump, RecordBatch, TopicPartition
from streamproc.engine.effects import Effect, Infer
from streamproc.engine.engine import Engine, EngineParts
from streamproc.engine.rescue import Rescued, reason_of
from streamproc.engine.schedule_log import Call, ScheduleLog


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

    def assigned(self, positions: Mapping[TopicPartition, int]) -> None:
        """See ``Engine``."""
        pairs = [n for source, at in positions.items() for n in (self._log.source(source), at)]
        self._log.note(Call.ASSIGNED, len(positions), *pairs)
        super().assigned(positions)

    def leave(self, sources: Collection[TopicPartition]) -> None:
        """See ``Engine``."""
        self._log.note(Call.LEAVE, len(sources), *map(self._log.source, sources))
        super().leave(sources)

    def release(self, sources: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """See ``Engine``."""
        self._log.note(Call.RELEASE, len(sources), *map(self._log.source, sources))
        return super().release(sources)

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
        self, run: int, outputs: Columns | Rescued, finished_ns: int, *, variant: int | None = None
    ) -> None:
        """See ``Engine``."""
        if variant is None and not isinstance(outputs, Rescued):
            self._log.note_at(Call.COMPLETED, finished_ns, run)
        else:
            failed = outputs.failed if isinstance(outputs, Rescued) else ()
            told = [n for span, error in failed for n in (*span, *self._words(error))]
            ran = -1 if variant is None else variant
            self._log.note_at(Call.RESCUED, finished_ns, len(failed), run, ran, *told)
        super().completed(run, outputs, finished_ns, variant=variant)

    def failed(self, run: int, error: Exception, finished_ns: int) -> None:
        """See ``Engine``."""
        self._log.note_at(Call.FAILED, finished_ns, run, *self._words(error))
        super().failed(run, error, finished_ns)

    def acknowledged(self, ticket: int, acknowledged_ns: int) -> None:
        """See ``Engine``."""
        log = self._log
        log.cut(acknowledged_ns)
        log.note_at(Call.ACKNOWLEDGED, acknowledged_ns, ticket)
        super().acknowledged(ticket, acknowledged_ns)

    def skipped(self, source: TopicPartition, jump: Jump | None) -> None:
        """See ``Engine``."""
        start, end = (-1, -1) if jump is None else jump
        self._log.note(Call.SKIPPED, self._log.source(source), start, end)
        super().skipped(source, jump)

    def _words(self, error: Exception) -> tuple[int, int]:
        """Why a model failed, as the numbers of two texts: the reason and the detail."""
        reason, detail = reason_of(error)
        return self._log.text(str(reason)), self._log.text(detail)
