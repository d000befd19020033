"""The pipeline, as a Python user sees it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

from streamproc.config import LoadedConfig, PipelineConfig, check
from streamproc.connectors.kafka import (
    Access,
    KafkaRecordSink,
    KafkaRecordSource,
    KafkaTransactionalSink,
    Producers,
    RecoveringSource,
    Unread,
)
from streamproc.core import Clock, ConfigError, Executor, Sink, Source, SystemClock
from streamproc.executors import load_executors
from streamproc.runtime.assembly import dead_letter_topic
from streamproc.runtime.parts import Parts
from streamproc.runtime.service import Service
from streamproc.runtime.transactional_id import TransactionalId
from streamproc.telemetry import Summary


@dataclass(frozen=True, kw_only=True)
class Pipeline(PipelineConfig):
    """A pipeline: its configuration, and the ways to run it.

    ``Pipeline(name=..., source=KafkaSource(...), codec=JsonCodec(...), model=Model(...),
    sink=KafkaSink(...))`` is the same as a file with these keys; see ``PipelineConfig`` for all of them.
    """

    @classmethod
    def from_config(cls, config: PipelineConfig) -> Self:
        """The pipeline of a configuration."""
        return cls(**{f.name: getattr(config, f.name) for f in fields(PipelineConfig)})

    @classmethod
    def from_file(cls, loaded: LoadedConfig) -> Self:
        """The pipeline of a file that was loaded; its folder is where the user's modules are found."""
        if loaded.path is not None:
            folder = str(loaded.path.resolve().parent)
            if folder not in sys.path:
                sys.path.insert(0, folder)
        return cls.from_config(loaded.config)

    async def run(
        self, *, stop_after: int | None = None, stop_when_idle_ns: int | None = None
    ) -> Summary:
        """Run until the end that is asked for, or for ever.

        Args:
            stop_after: end after so many records.
            stop_when_idle_ns: end when nothing came for so long.

        Returns:
            what was consumed and what became of it.

        Raises:
            ConfigError: something does not fit, or does not exist.
            ExternalError: something outside failed for good.
        """
        service = Service(
            self, self.parts(), stop_after=stop_after, stop_when_idle_ns=stop_when_idle_ns
        )
        return await service.run()

    def parts(
        self,
        *,
        source: Source | None = None,
        sink: Sink | None = None,
        executor: Executor | Sequence[Executor] | None = None,
        clock: Clock | None = None,
    ) -> Parts:
        """What the pipeline runs on: what is handed in, and for the rest what its configuration names.

        Args:
            source: where records come from.
            sink: where records go.
            executor: what runs the model; several for its variants, the best one's first.
            clock: the time.

        Raises:
            ConfigError: the configuration does not fit together, or the model does not load.
        """
        check(self)
        clock = clock or SystemClock()
        source = source or self.kafka_source(clock)
        if executor is None:
            executors = load_executors(self.model, clock)
        else:
            executors = tuple(executor) if isinstance(executor, Sequence) else (executor,)
        progress_timeout = self.source.progress_timeout
        return Parts(
            source=source,
            sink=sink or self._kafka_sink(source, clock),
            executors=executors,
            clock=clock,
            commit_interval_ns=int(self.source.commit_interval),
            progress_timeout_ns=progress_timeout and int(progress_timeout),
        )

    def kafka_source(self, clock: Clock) -> RecoveringSource:
        """The source that the configuration names.

        Args:
            clock: for the instants of arrival.
        """
        transactional, options = self.delivery == "exactly_once", self.source
        if transactional:  # what an aborted transaction wrote was never there
            options = replace(options, isolation_level="read_committed")
        group_id = self.source.group_id or self.name
        unread = Unread(
            Access.of_source(options),
            group_id=group_id,
            topics=options.topics,
            isolation_level=options.isolation_level,
        )

        def make() -> KafkaRecordSource:
            return KafkaRecordSource(
                options, group_id=group_id, clock=clock, transactional=transactional
            )

        return RecoveringSource(make, unread)

    def _kafka_sink(self, source: Source, clock: Clock) -> Sink:
        outcomes = self.outcomes
        asked = (dead_letter_topic(self), outcomes.shed_topic, outcomes.ledger_topic)
        made = [topic for topic in asked if topic is not None]
        access, topics = Access.of_sink(self.sink, self.source), self.source.topics
        if self.delivery == "at_least_once":
            return KafkaRecordSink(
                self.sink, access=access, input_topics=topics, made_topics=made, clock=clock
            )
        if not isinstance(source, RecoveringSource):
            msg = "delivery: exactly_once needs source.kafka, whose offsets are a part of its transactions"
            raise ConfigError(msg)
        group = self.source.group_id or self.name
        return KafkaTransactionalSink(
            Producers(self.sink, access=access, input_topics=topics, made_topics=made),
            identity=TransactionalId(group, self.source.group_instance_id),
            membership=lambda: source.membership,
            stored=source.stored,
            clock=clock,
        )
