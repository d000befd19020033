"""A pipeline on a virtual clock, without a broker and without an event loop.

The engine is the service's own, made by the same ``runtime.assemble``. What drives it is a list of things
to come: records that arrive, batches that end, acknowledgements; time jumps from one to the next. So a
run takes microseconds, and the same sends give the same bytes.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from streamproc.config import LoadedConfig, PipelineConfig, check, load
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Columns,
    Executor,
    Headers,
    Int64Array,
    ModelInfo,
    Outcome,
    OutRecords,
    TopicPartition,
    VirtualClock,
)
from streamproc.engine import Infer, Rescued, Send, Skip, rescue
from streamproc.executors import Model, ModelVariant, Simulated, load_executors
from streamproc.runtime import Pipeline, assemble, dead_letter_topic
from streamproc.telemetry import Journey  # noqa: TC001 - users look at its annotations
from streamproc.testing.broker import MemoryBroker, Payload, StoredRecord
from streamproc.testing.executor import FakeExecutor
from streamproc.testing.result import Decision, FinalOutcome, Letter, TestResult
from streamproc.testing.sink import MemorySink
from streamproc.testing.source import MemorySource

RECORDS_MAX = 1_024
"""Records that are taken in at once, as by the service's intake loop."""
REAL_MODEL_FIXED_NS = NS_PER_MS
REAL_MODEL_PER_EVENT_NS = 10_000
"""What a batch of the configuration's own model costs in virtual time: 1 ms, and 10 us an event."""


class PipelineTest:
    """Runs a pipeline's engine over what is sent to it.

        test = PipelineTest("pipeline.yaml", executor=FakeExecutor(lambda x: x["input"] * 2))
        test.send("ticks", {"price": 1.5}, key="BTC")
        result = test.run()
        assert result.outcome_of("ticks/0/0") == "on_time"

    All instants are on the clock: ``at_ns=test.now_ns + 5_000_000`` is 5 ms from now.

    Args:
        pipeline: a configuration, or the path of its file.
        executor: answers instead of the configuration's model; for one with variants a list, the best one's
            first. One that is no ``FakeExecutor`` answers at
            the cost of 1 ms a batch and 10 us an event; so does the configuration's own model, unless it
            is ``simulated``, which costs what it says.
        clock: the virtual clock; a new one by default.
        partitions: of each topic.
        acknowledge_ns: how long the broker takes to acknowledge; a function of the records where it varies.

    Attributes:
        broker: the topics; ``broker.skip`` makes gaps, for example.
        clock: the clock.
        executor: what answers; of variants the best one's.
        executors: of all variants.
        journeys: what is told of traced events, where the pipeline has ``telemetry.traces``.
        sink: acknowledges; ``sink.hold`` and ``sink.release`` keep acknowledgements back.

    Raises:
        ConfigError: the configuration is wrong, or the model does not load.
    """

    def __init__(
        self,
        pipeline: PipelineConfig | LoadedConfig | str | Path,
        *,
        executor: Executor | Sequence[Executor] | None = None,
        clock: VirtualClock | None = None,
        partitions: int = 1,
        acknowledge_ns: int | Callable[[OutRecords], int] = NS_PER_MS,
    ) -> None:
        config = _config(pipeline)
        self._config = config
        self.clock = clock or VirtualClock()
        self.executors = _fakes(executor, config.model)
        self.executor = self.executors[0]
        hands = _Hands()
        self.journeys: list[Journey] = []
        warm_ups = [_WarmUp(fake, hands.clock) for fake in self.executors]
        self._assembly = assemble(config, warm_ups, hands, self.journeys.append)
        hands.clock = self.clock
        self._engine = self._assembly.engine
        self._assembly.settlement.witness = self._witness
        self._topics = (config.sink.topic, dead_letter_topic(config), config.outcomes.shed_topic)
        out = [topic for topic in self._topics if topic is not None]
        self._group = config.source.group_id or config.name
        self.broker = MemoryBroker(
            dict.fromkeys([*config.source.topics, *out], partitions), clock=self.clock
        )
        self.sink = MemorySink(self.broker, delay_ns=acknowledge_ns, automatic=False)
        self._source = MemorySource(self.broker, config.source.topics, group=self._group)
        self._engine.assigned(self._source.acquire(self._source.subscribed))
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._open: dict[TopicPartition, set[int]] = {}
        self._final: dict[str, list[FinalOutcome]] = {}
        self._started_ns = self.clock.now_ns()

    @property
    def now_ns(self) -> int:
        """The present instant of the clock."""
        return self.clock.now_ns()

    def send(
        self,
        topic: str,
        value: Payload,
        *,
        key: bytes | str | None = None,
        partition: int | None = None,
        timestamp_ns: int | None = None,
        headers: Headers | Mapping[str, bytes | str | None] = (),
        at_ns: int | None = None,
    ) -> None:
        """Let a record arrive.

        Args:
            topic: a source topic of the pipeline.
            value: bytes, text, a mapping that becomes JSON, or None for a tombstone.
            key: bytes or text.
            partition: which partition; by default by the key.
            timestamp_ns: the record's timestamp; its arrival by default.
            headers: pairs, or a mapping.
            at_ns: when it arrives; now by default. What arrives at one instant is taken in together.
        """

        def arrive() -> None:
            self.broker.produce(
                topic,
                value,
                key=key,
                partition=partition,
                timestamp_ns=timestamp_ns,
                headers=headers,
            )

        self.call(arrive, at_ns=at_ns)

    def revoke(self, *partitions: tuple[str, int], at_ns: int | None = None) -> None:
        """Take partitions away at an instant, with no time to finish: what is open is handed back."""
        self.call(lambda: self._revoke([TopicPartition(*p) for p in partitions]), at_ns=at_ns)

    def assign(self, *partitions: tuple[str, int], at_ns: int | None = None) -> None:
        """Give partitions back at an instant, from the group's committed positions."""
        sources = [TopicPartition(*p) for p in partitions]
        self.call(lambda: self._engine.assigned(self._source.acquire(sources)), at_ns=at_ns)

    def call(self, action: Callable[[], None], *, at_ns: int | None = None) -> None:
        """Do something at an instant, such as ``executor.slow_down``; now by default."""
        at_ns = self.now_ns if at_ns is None else max(at_ns, self.now_ns)
        heapq.heappush(self._agenda, (at_ns, next(self._numbers), action))

    def run(self, *, until_ns: int | None = None) -> TestResult:
        """Run until nothing is left to happen; may be called again after more was sent.

        Args:
            until_ns: stop the clock at this instant, with what is under way then still in flight.

        Returns:
            all that came out since the test was made.
        """
        while (next_ns := self._next_ns()) is not None:
            if until_ns is not None and next_ns > until_ns:
                break
            self.clock.advance_to(next_ns)
            self.sink.acknowledge_due()
            while self._agenda and self._agenda[0][0] <= self.now_ns:
                heapq.heappop(self._agenda)[2]()
            self._take_in()
        if until_ns is not None:
            self.clock.advance_to(until_ns)
        self._commit()
        return self._result()

    def _next_ns(self) -> int | None:
        due = [self._agenda[0][0]] if self._agenda else []
        due += [at for at in (self.sink.due_ns, self._engine.wake_ns) if at is not None]
        return min(due, default=None)

    def _take_in(self) -> None:
        """What the service's intake loop does: poll, and a turn of the engine for each batch."""
        self._turn()
        while batches := self._source.take(RECORDS_MAX):
            for batch in batches:
                self._open.setdefault(batch.source, set()).update(batch.offset.tolist())
                self._engine.ingest(batch)
                self._turn()

    def _turn(self) -> None:
        while effects := self._engine.next_effects(self.now_ns):
            for effect in effects:
                match effect:
                    case Send(ticket=ticket, records=records):
                        self.sink.send(records, partial(self._sent, ticket))
                    case Infer(run=run, size=size, inputs=inputs, variant=variant):
                        executor = self.executors[variant]
                        ended = partial(self._ended, run, _answer(executor, inputs, size))
                        self.call(ended, at_ns=self.now_ns + executor.cost_ns(size))
                    case Skip(source=source, timestamp_ns=timestamp_ns):
                        jump = self._source.skip_now(source, timestamp_ns)
                        self._engine.skipped(source, jump)

    def _ended(self, run: int, outputs: Columns | Rescued) -> None:
        self._engine.completed(run, outputs, self.now_ns)

    def _sent(self, ticket: int, result: int | Exception) -> None:
        if isinstance(result, Exception):
            raise result
        self._engine.acknowledged(ticket, result)

    def _revoke(self, sources: list[TopicPartition]) -> None:
        self._engine.moved(self._source.positions_now())
        self.broker.group(self._group).committed.update(self._engine.release(sources))
        self._source.drop(sources)
        for source in sources:
            for offset in sorted(self._open.pop(source, set())):
                self._note(source, offset, FinalOutcome("handed_back", "", self.now_ns))

    def _commit(self) -> None:
        self._engine.moved(self._source.positions_now())
        positions = self._engine.positions_to_commit()
        self.broker.group(self._group).committed.update(positions)
        self._engine.committed(positions)

    def _witness(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        outcome: Outcome,
        reason: str,
        final_ns: int,
    ) -> None:
        final = FinalOutcome(outcome.word, reason, final_ns)
        rows = [-1] * len(offset) if row is None else row.tolist()
        for number, place in sorted(zip(offset.tolist(), rows, strict=True)):
            self._open[source].discard(number)
            self._note(source, number, final, row=place)

    def _note(
        self, source: TopicPartition, offset: int, final: FinalOutcome, *, row: int = -1
    ) -> None:
        event = f"{source.topic}/{source.partition}/{offset}"
        event = event if row < 0 else f"{event}/{row}"
        self._final.setdefault(event, []).append(final)

    def _result(self) -> TestResult:
        decided, dead, shed = self._topics
        decisions = [d for record in self._records(decided) for d in Decision.all_of(record)]
        acknowledged_ns = {
            decision.id: self.sink.acknowledged_ns[decision.record]
            for decision in decisions
            if decision.record in self.sink.acknowledged_ns
        }
        duration_s = (self.now_ns - self._started_ns) / NS_PER_S
        return TestResult(
            decisions=decisions,
            dead_letters=[Letter.of(record) for record in self._records(dead)],
            shed=[Letter.of(record) for record in self._records(shed)],
            final={event: tuple(outcomes) for event, outcomes in self._final.items()},
            acknowledged_ns=acknowledged_ns,
            committed=self.broker.committed(self._group),
            accounts=self._assembly.accounts,
            summary=self._assembly.accounts.summary(duration_s, 0.0),
            in_flight=self._engine.open_total,
        )

    def _records(self, topic: str | None) -> list[StoredRecord]:
        return [] if topic is None else self.broker.records(topic)


class _Hands:
    """A clock whose hands are changed once: the model's measurement must not use up the test's time."""

    def __init__(self) -> None:
        self.clock = VirtualClock()

    def now_ns(self) -> int:
        return self.clock.now_ns()


class _WarmUp:
    """Stands for the executor while the model is measured: costs the same, asks nothing of the function."""

    def __init__(self, executor: FakeExecutor, clock: VirtualClock) -> None:
        self._executor = executor
        self._clock = clock
        self.concurrency = executor.concurrency
        self.inline = executor.inline

    @property
    def info(self) -> ModelInfo:
        return self._executor.info

    def run(self, inputs: Columns) -> Columns:
        self._clock.advance(self._executor.cost_ns(len(next(iter(inputs.values())))))
        return {}

    def close(self) -> None:
        """Nothing is held."""


def _config(pipeline: PipelineConfig | LoadedConfig | str | Path) -> PipelineConfig:
    if isinstance(pipeline, str | Path):
        pipeline = load(pipeline)
    if isinstance(pipeline, LoadedConfig):
        return Pipeline.from_file(pipeline)
    check(pipeline)
    return pipeline


def _fakes(
    executor: Executor | Sequence[Executor] | None, model: Model
) -> tuple[FakeExecutor, ...]:
    """What answers for each variant of the model, the best one's first."""
    if executor is not None:
        given = tuple(executor) if isinstance(executor, Sequence) else (executor,)
        return tuple(map(_fake, given))
    return tuple(map(_fake_variant, model.ladder))


def _fake(executor: Executor) -> FakeExecutor:
    if isinstance(executor, FakeExecutor):
        return executor
    return FakeExecutor.around(
        executor, fixed_ns=REAL_MODEL_FIXED_NS, per_event_ns=REAL_MODEL_PER_EVENT_NS
    )


def _fake_variant(variant: ModelVariant) -> FakeExecutor:
    """A variant's own answers; at what it says that it costs where it is ``simulated``."""
    options = variant.executor
    if isinstance(options, Simulated):
        fixed_ns, per_event_ns = int(options.fixed), int(options.per_event)
        if variant.path is None:
            return FakeExecutor(
                _zeros, fixed_ns=fixed_ns, per_event_ns=per_event_ns, variant=variant.name
            )
        (inner,) = load_executors(
            Model(variants=(replace(variant, executor=None),)), VirtualClock()
        )
        return FakeExecutor.around(inner, fixed_ns=fixed_ns, per_event_ns=per_event_ns)
    (inner,) = load_executors(Model(variants=(variant,)), VirtualClock())
    return _fake(inner)


def _answer(executor: FakeExecutor, inputs: Columns, size: int) -> Columns | Rescued:
    """A batch's outputs; where it fails the events at fault are looked for, as by the service."""
    try:
        return executor.run(inputs)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return rescue(executor.run, inputs, size, error)


def _zeros(inputs: Columns) -> Columns:
    return {"output": np.zeros((len(next(iter(inputs.values()))), 1), np.float32)}
