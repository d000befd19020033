"""A live run again, exactly: the engine is told what it was told then, in the same order and at the same instants.

The records come from the recording, everything else from its schedule log; the model gives its outputs again. So every
outcome is the live one, also under overload, where any other order would shed other events.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from streamproc.config import PipelineConfig
from streamproc.core import (
    ConfigError,
    Executor,
    InvariantError,
    Jump,
    ModelError,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine import Beginning, Call, Entry, Infer, Rescued, Span, Verdict
from streamproc.replay.playback.tables import TableHistory, needed
from streamproc.replay.playback.virtual import Attach, Replayed
from streamproc.runtime import assemble

AHEAD_MAX: Final = 64
"""Batches that are read ahead to find one: several partitions that were fetched at one instant may stand in any order."""


class ScheduleEnded(Exception):  # noqa: N818 - not an error: a recorder that was killed leaves a log that just ends
    """The log says nothing more."""


def replay_recorded(
    config: PipelineConfig,
    records: Iterable[RecordBatch],
    schedule: Iterable[Entry],
    *,
    executors: Sequence[Executor],
    attach: Attach | None = None,
    tables: TableHistory | None = None,
) -> Replayed:
    """Do everything again, as far as the log goes.

    Args:
        config: the pipeline, as it was.
        records: what was fetched, in the order of its fetching.
        schedule: the log's entries.
        executors: what gives the outputs, for each variant of the model, the best one's first.
        attach: is shown the parts before the first record.
        tables: what lookups found; None where they look into nothing that changes.

    Raises:
        ConfigError: there is no log, it is of another recording, or the pipeline is not what it was.
    """
    if config.delivery == "exactly_once":
        msg = (
            "outcomes of exactly_once become final by transactions, which no schedule log tells of: "
            "use --clock virtual"
        )
        raise ConfigError(msg)
    needed(config, tables)
    tape = _Tape(schedule)
    if tape.beginning is None:
        msg = (
            "the recording has no schedule log, or not its beginning: only a recording made by the service itself "
            "(record: in its configuration) can be replayed with --clock recorded; use --clock virtual"
        )
        raise ConfigError(msg)
    replay = _Replay(config, tape, tape.beginning, _Supply(records), executors, attach, tables)
    try:
        return replay.run()
    except InvariantError as error:
        msg = (
            f"the replay went another way than the live run ({error}): the configuration, the model or the version "
            "of streamproc is not the one that was recorded"
        )
        raise ConfigError(msg) from error


class _Tape:
    """The log, call by call; also the clock that gives the recorded readings."""

    def __init__(self, schedule: Iterable[Entry]) -> None:
        self._entries = iter(schedule)
        self._expected = 0
        self._calls: Iterator[int] = iter(())
        self._instants: Iterator[int] = iter(())
        self._numbers: Iterator[int] = iter(())
        self.sources: list[TopicPartition] = []
        self.texts: list[str] = []
        self.beginning: Beginning | None = None
        self.last_ns = self.first_ns = 0
        self._load()

    def next_call(self) -> Call:
        """What was done next.

        Raises:
            ScheduleEnded: nothing more.
        """
        while True:
            code = next(self._calls, None)
            if code is not None:
                return Call(code)
            if not self._load():
                raise ScheduleEnded

    def instant_ns(self) -> int:
        """The next instant."""
        self.last_ns = next(self._instants)
        if not self.first_ns:
            self.first_ns = self.last_ns
        return self.last_ns

    def number(self) -> int:
        """The next number."""
        return next(self._numbers)

    def source(self) -> TopicPartition:
        """The partition that the next number names."""
        return self.sources[self.number()]

    def now_ns(self) -> int:
        """The engine reads its clock; see ``Clock``.

        Raises:
            InvariantError: it did not at this place.
        """
        call = self.next_call()
        if call is not Call.CLOCK:
            msg = f"the clock is read where {call.name} was recorded"
            raise InvariantError(msg)
        return self.instant_ns()

    def _load(self) -> bool:
        entry = next(self._entries, None)
        if entry is None or entry.number != self._expected:
            return False  # what was dropped, nobody can do again
        self._expected += 1
        self._calls = iter(entry.calls)
        self._instants = iter(entry.instants_ns.tolist())
        self._numbers = iter(entry.numbers.tolist())
        self.sources += entry.sources
        self.texts += entry.texts
        self.beginning = self.beginning or entry.begins
        return True


class _Supply:
    """The recorded batches, found by who they are."""

    def __init__(self, records: Iterable[RecordBatch]) -> None:
        self._records = iter(records)
        self._ahead: list[RecordBatch] = []

    def take(self, source: TopicPartition, offset: int, count: int) -> RecordBatch:
        """The batch of a partition that begins with this offset.

        Raises:
            ScheduleEnded: the recording ends before it.
            ConfigError: it is not where it should be.
        """
        for place, batch in enumerate(self._ahead):
            if _is(batch, source, offset, count):
                return self._ahead.pop(place)
        for batch in self._records:
            if _is(batch, source, offset, count):
                return batch
            self._ahead.append(batch)
            if len(self._ahead) > AHEAD_MAX:
                msg = (
                    f"{source.topic}/{source.partition}/{offset} was taken in and is not in the recording: records "
                    "were dropped, and what follows cannot be done again; use --clock virtual"
                )
                raise ConfigError(msg)
        raise ScheduleEnded


def _is(batch: RecordBatch, source: TopicPartition, offset: int, count: int) -> bool:
    return batch.source == source and len(batch) == count and int(batch.offset[0]) == offset


class _Slots:
    """An executor with as many slots as there were."""

    def __init__(self, executor: Executor, slots: int) -> None:
        self.info = executor.info
        self.run = executor.run
        self.close = executor.close
        self.inline = executor.inline
        self.concurrency = slots


class _Replay:
    """One replay under way."""

    def __init__(
        self,
        config: PipelineConfig,
        tape: _Tape,
        beginning: Beginning,
        supply: _Supply,
        executors: Sequence[Executor],
        attach: Attach | None,
        tables: TableHistory | None,
    ) -> None:
        if len(beginning.sweeps) != len(executors):
            msg = f"the recording has {len(beginning.sweeps)} variants of the model, the pipeline {len(executors)}"
            raise ConfigError(msg)
        held = [_Slots(executor, beginning.slots) for executor in executors]
        self._tape = tape
        self._supply = supply
        self._executors = executors
        self._assembly = assemble(config, held, tape, sweeps=beginning.sweeps, stamped=False)
        self._engine = self._assembly.engine
        if tables is not None:
            tables.fill(config, self._assembly, at=None)
        if attach is not None:
            attach(self._assembly, lambda: tape.last_ns)
        self._running: dict[int, Infer] = {}
        self._records = 0

    def run(self) -> Replayed:
        """As far as the log goes."""
        stopped = None
        try:
            while (call := self._tape.next_call()) is not Call.RELOADED:
                self._do(call)
            stopped = self._tape.texts[self._tape.number()]
        except ScheduleEnded:
            pass
        return Replayed(
            self._assembly.accounts,
            self._records,
            self._tape.first_ns,
            self._tape.last_ns,
            stopped=stopped,
        )

    def _do(self, call: Call) -> None:  # noqa: C901, PLR0912 - one line for each
        tape, engine = self._tape, self._engine
        match call:
            case Call.INGEST:
                batch = self._supply.take(tape.source(), tape.number(), tape.number())
                self._records += len(batch)
                engine.ingest(batch)
            case Call.EFFECTS:
                self._effects(tape.instant_ns())
            case Call.COMPLETED:
                self._completed(tape.number(), tape.number(), tape.instant_ns())
            case Call.RESCUED:
                self._rescued([tape.number() for _ in range(tape.number())], tape.instant_ns())
            case Call.FAILED:
                run, reason, words = tape.number(), tape.number(), tape.number()
                self._taken(run)
                engine.failed(run, self._raised(reason, words), tape.instant_ns())
            case Call.ACKNOWLEDGED:
                engine.acknowledged(tape.number(), tape.instant_ns())
            case Call.ASSIGNED:
                count = tape.number()
                engine.assigned({tape.source(): tape.number() for _ in range(count)})
            case Call.LEAVE:
                engine.leave([tape.source() for _ in range(tape.number())])
            case Call.RELEASE:
                engine.release([tape.source() for _ in range(tape.number())])
            case Call.AT_ENDS:
                engine.at_ends([tape.source() for _ in range(tape.number())])
            case Call.SKIPPED:
                source, start, end = tape.source(), tape.number(), tape.number()
                engine.skipped(source, None if start < 0 else Jump(start, end))
            case Call.HOLD:
                engine.hold_variant(tape.number())
            case Call.ROLLED_BACK:
                engine.roll_back(Verdict("slo", tape.texts[tape.number()]))
            case Call.TAKEN_BACK:
                engine.roll_back(Verdict(tape.texts[tape.number()], tape.texts[tape.number()]))
            case Call.DRAINING:
                engine.draining = bool(tape.number())
            case Call.CLOCK | Call.RUN | Call.RELOADED:
                msg = f"{call.name} was recorded where the replay has none"
                raise InvariantError(msg)

    def _effects(self, now_ns: int) -> None:
        for effect in self._engine.next_effects(now_ns):
            if isinstance(
                effect, Infer
            ):  # when what is sent is acknowledged, and a jump made, is in the log
                self._begin(effect)

    def _begin(self, infer: Infer) -> None:
        """A batch was started then, as now."""
        tape = self._tape
        if tape.next_call() is not Call.RUN:
            msg = f"run {infer.run} was not started there"
            raise InvariantError(msg)
        recorded = (tape.number(), tape.number(), tape.number())
        if recorded != (infer.run, infer.size, infer.variant):
            msg = f"run {infer.run} has {infer.size} events, and had {recorded[1]}"
            raise InvariantError(msg)
        self._running[infer.run] = infer

    def _completed(self, run: int, variant: int, finished_ns: int) -> None:
        infer = self._taken(run)
        ran = None if variant < 0 else variant
        executor = self._executors[infer.variant if ran is None else ran]
        try:
            outputs = executor.run(infer.inputs)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            self._engine.failed(run, error, finished_ns)
            return
        self._engine.completed(run, outputs, finished_ns, variant=ran)

    def _rescued(self, numbers: Sequence[int], finished_ns: int) -> None:
        """Of a batch that failed as a whole, what was answered then is answered again."""
        run, variant, *parts = numbers
        infer = self._taken(run)
        ran = None if variant < 0 else variant
        executor = self._executors[infer.variant if ran is None else ran]
        rescued, begin = Rescued(), 0
        for start, stop, reason, words in zip(*(parts[n::4] for n in range(4)), strict=True):
            self._answer(infer, executor, Span(begin, start), rescued)
            rescued.failed.append((Span(start, stop), self._raised(reason, words)))
            begin = stop
        self._answer(infer, executor, Span(begin, infer.size), rescued)
        self._engine.completed(run, rescued, finished_ns, variant=ran)

    def _answer(self, infer: Infer, executor: Executor, span: Span, rescued: Rescued) -> None:
        """The rows of a batch that were answered; where they are not now, they failed."""
        if span.start == span.stop:
            return
        inputs = {name: array[span.start : span.stop] for name, array in infer.inputs.items()}
        try:
            rescued.done.append((span, executor.run(inputs)))
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            rescued.failed.append((span, error))

    def _taken(self, run: int) -> Infer:
        if run not in self._running:
            msg = f"run {run} has ended and never began"
            raise InvariantError(msg)
        return self._running.pop(run)

    def _raised(self, reason: int, words: int) -> Exception:
        """An exception that reads as the recorded one did (``ValueError: no``)."""
        texts = self._tape.texts
        if texts[reason]:
            return ModelError(texts[reason], texts[words])
        name, _, said = texts[words].partition(": ")
        kind: type[Exception] = type(name, (Exception,), {})
        return kind(said) if said else kind()
