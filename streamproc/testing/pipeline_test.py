"""A pipeline on a virtual clock, without a broker and without an event loop.

The engine is the service's own, made by the same ``runtime.assemble``. What drives it is a list of things
to come: records that arrive, batches that end, acknowledgements; time jumps from one to the next. So a
run takes microseconds, and the same sends give the same bytes.
"""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from streamproc.config import LoadedConfig, PipelineConfig, group_of
from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Columns,
    Executor,
    Headers,
    Int64Array,
    Outcome,
    OutRecords,
    TopicPartition,
    VirtualClock,
)
from streamproc.engine import Effect, Infer, Rescued, Send, Skip
from streamproc.runtime import assemble, dead_letter_topic, transaction_interval_ns
from streamproc.telemetry import Journey, Told
from streamproc.testing.broker import MemoryBroker, Payload, StoredRecord
from streamproc.testing.recalling import recall_from
from streamproc.testing.result import Decision, FinalOutcome, Letter, TestResult
from streamproc.testing.sink import MemorySink
from streamproc.testing.source import MemorySource
from streamproc.testing.stand_ins import Hands, WarmUp, answer_to, config_of, fakes_for
from streamproc.testing.transactional_sink import MemoryTransactionalSink
from streamproc.testing.virtual_transactions import VirtualTransactions

RECORDS_MAX = 1_024
"""Records that are taken in at once, as by the service's intake loop."""


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
            first, and behind them the models of a rollout: arms, canary, its reference, shadow. One that is no ``FakeExecutor`` answers at
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
        sink: acknowledges; ``sink.hold`` and ``sink.release`` keep acknowledgements back. With ``delivery:
            exactly_once`` a ``MemoryTransactionalSink``: ``sink.fail_commits`` aborts the next transactions.

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
        config = config_of(pipeline)
        self._config = config
        self.clock = clock or VirtualClock()
        self.executors = fakes_for(executor, config.model, config.rollout)
        self.executor = self.executors[0]
        hands = Hands()
        self.journeys: list[Journey] = []
        warm_ups = [WarmUp(fake, hands.clock) for fake in self.executors]
        self._assembly = assemble(config, warm_ups, hands, self._tell)
        hands.clock = self.clock
        self._engine = self._assembly.engine
        self._assembly.settlement.witness = self._witness
        self._topics = (config.sink.topic, dead_letter_topic(config), config.outcomes.shed_topic)
        self._ledger_topic = config.outcomes.ledger_topic
        changelog_topic = None if config.state.changelog is None else config.state.changelog.topic
        asked = (*self._topics, self._ledger_topic, changelog_topic)
        out = [topic for topic in asked if topic is not None]
        self._group = group_of(config)
        inputs = config.source.topics or (config.name,)  # a recording may name its own
        self.broker = MemoryBroker(dict.fromkeys([*inputs, *out], partitions), clock=self.clock)
        self._source = MemorySource(self.broker, inputs, group=self._group)
        self._source.rewind_ns = self._assembly.rewind_ns
        self._source.together = config.reorder is not None
        if (changelog := self._assembly.changelog) is not None:
            self._engine.changelog = changelog
            self._source.recall_now = partial(recall_from, self.broker, changelog)
        self.sink: Any = MemorySink(self.broker, delay_ns=acknowledge_ns, automatic=False)
        self._engine.assigned(self._source.acquire(self._source.subscribed))
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._open: dict[TopicPartition, set[int]] = {}
        self._final: dict[str, list[FinalOutcome]] = {}
        self._started_ns = self.clock.now_ns()
        self._transactions = self._make_transactions(acknowledge_ns)

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

        def take_over() -> None:
            self._engine.assigned(self._source.acquire(sources), self._source.done_beyond(sources))

        self.call(take_over, at_ns=at_ns)

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
            if self._transactions is None:
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
        acknowledged_ns = self.sink.due_ns if self._transactions is None else None
        due += [at for at in (acknowledged_ns, self._engine.wake_ns) if at is not None]
        return min(due, default=None)

    def _tell(self, told: Told) -> None:
        if isinstance(told, Journey):
            self.journeys.append(told)

    def _take_in(self) -> None:
        """What the service's intake loop does: poll, and a turn of the engine for each batch."""
        self._turn()
        while batches := self._source.take(RECORDS_MAX):
            for batch in batches:
                fresh = batch.offset[batch.offset >= self._source.begun[batch.source]]
                self._open.setdefault(batch.source, set()).update(fresh.tolist())
                self._engine.ingest(batch)
                self._turn()

    def _turn(self) -> None:
        while effects := self._engine.next_effects(self.now_ns):
            self._carry_out(effects)
        if self._transactions is not None:
            self._transactions.look()

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(ticket=ticket, records=records):
                    self.sink.send(records, partial(self._sent, ticket))
                case Infer() as infer:
                    self._infer(infer)
                case Skip(source=source, timestamp_ns=timestamp_ns):
                    jump = self._source.skip_now(source, timestamp_ns)
                    self._engine.skipped(source, jump)

    def _infer(self, infer: Infer) -> None:
        """Answer at the executor's cost; a batch that would take too long is stopped, as by the service."""
        outputs, took_ns, variant = answer_to(self.executors, infer, self.now_ns)
        other = None if variant == infer.variant else variant
        ended = partial(self._ended, infer.run, outputs, other)
        self.call(ended, at_ns=self.now_ns + took_ns)

    def _ended(self, run: int, outputs: Columns | Rescued | Exception, variant: int | None) -> None:
        if isinstance(outputs, Exception):
            self._engine.failed(run, outputs, self.now_ns)
        else:
            self._engine.completed(run, outputs, self.now_ns, variant=variant)

    def _sent(self, ticket: int, result: int | Exception) -> None:
        if isinstance(result, Exception):
            raise result
        self._engine.acknowledged(ticket, result)

    def _revoke(self, sources: list[TopicPartition]) -> None:
        self._engine.moved(self._source.positions_now())
        if self._transactions is not None:
            self._transactions.take_back(sources)
            return
        if (changelog := self._engine.changelog) is not None:
            for records in changelog.records():
                self.sink.send(records, lambda _: None)
        self.broker.group(self._group).committed.update(self._engine.release(sources))
        self._source.drop(sources)
        self._hand_back(sources)

    def _hand_back(self, sources: Collection[TopicPartition]) -> None:
        for source in sources:
            for offset in sorted(self._open.pop(source, set())):
                self._note(source, offset, FinalOutcome("handed_back", "", self.now_ns))

    def _commit(self) -> None:
        if self._transactions is not None:
            self._transactions.store_positions()
            return
        self._engine.moved(self._source.positions_now())
        positions = self._engine.positions_to_commit()
        if (changelog := self._engine.changelog) is not None:
            changelog.go_on(self.now_ns)
            for records in changelog.records():
                self.sink.send(records, lambda _: None)
        if self._assembly.ledger is not None:
            for records in self._assembly.ledger.records(positions):
                self.sink.send(records, lambda _: None)
        self.broker.group(self._group).committed.update(positions)
        self._engine.committed(positions)

    def _make_transactions(
        self, acknowledge_ns: int | Callable[[OutRecords], int]
    ) -> VirtualTransactions | None:
        if self._assembly.transaction is None:
            return None
        if not isinstance(acknowledge_ns, int):
            msg = "acknowledge_ns must be a number with delivery: exactly_once: how long a commit takes"
            raise TypeError(msg)
        self.sink = MemoryTransactionalSink(self.broker, group=self._group)
        return VirtualTransactions(
            engine=self._engine,
            transaction=self._assembly.transaction,
            sink=self.sink,
            source=self._source,
            agenda=self,
            interval_ns=transaction_interval_ns(self._config),
            commit_ns=acknowledge_ns,
            hand_over=lambda: self._carry_out(self._engine.take_effects()),
            handed_back=self._hand_back,
        )

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
