"""The pipeline, as a Python user sees it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

from streamproc.config import LoadedConfig, PipelineConfig, check, group_of, kafka_source, load
from streamproc.connectors.files import EventTimes, LinesSink, played_source
from streamproc.connectors.kafka import (
    Access,
    KafkaRecordSink,
    KafkaRecordSource,
    KafkaSink,
    KafkaSource,
    KafkaTransactionalSink,
    Producers,
    RecoveringSource,
    Unread,
)
from streamproc.core import NS_PER_S, Clock, ConfigError, Executor, Sink, Source, SystemClock
from streamproc.executors import load_runners
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
    def from_file(cls, loaded: LoadedConfig | str | Path) -> Self:
        """The pipeline of a file; its folder is where the user's modules are found.

        Args:
            loaded: the file, or what ``load`` made of it, with overrides.

        Raises:
            ConfigError: all that is wrong with the file.
        """
        if not isinstance(loaded, LoadedConfig):
            loaded = load(loaded)
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
            executor: what runs the model; several for its variants and a rollout, in the order of ``executors.runners``.
            clock: the time.

        Raises:
            ConfigError: the configuration does not fit together, or the model does not load.
        """
        check(self)
        clock = clock or SystemClock()
        source = source or self._made_source(clock)
        if executor is None:
            executors = load_runners(self.model, self.rollout, clock)
        else:
            executors = tuple(executor) if isinstance(executor, Sequence) else (executor,)
        # The end of a file has nothing to store and nobody to ask whether it is stuck.
        options = self.source if isinstance(self.source, KafkaSource) else None
        timeout = options.progress_timeout if options else None
        return Parts(
            source=source,
            sink=sink or self._made_sink(source, clock),
            executors=executors,
            clock=clock,
            commit_interval_ns=int(options.commit_interval) if options else NS_PER_S,
            progress_timeout_ns=timeout and int(timeout),
        )

    def _made_source(self, clock: Clock) -> Source:
        if isinstance(self.source, KafkaSource):
            return self.kafka_source(clock)
        times = EventTimes(self.event_time.field, self.event_time.unit)
        return played_source(self.source, times, clock=clock)

    def _made_sink(self, source: Source, clock: Clock) -> Sink:
        if isinstance(self.sink, KafkaSink):
            return self._kafka_sink(self.sink, source, clock)
        # What is read from its begin is decided anew; what goes on where it was must not lose what it decided.
        resumes = isinstance(self.source, KafkaSource)
        append = resumes if self.sink.append is None else self.sink.append
        return LinesSink(self.sink, append=append, clock=clock)

    def kafka_source(self, clock: Clock) -> RecoveringSource:
        """The source that the configuration names.

        Args:
            clock: for the instants of arrival.
        """
        transactional = self.delivery == "exactly_once"
        options = kafka_source(self, "kafka_source")
        if transactional:  # what an aborted transaction wrote was never there
            options = replace(options, isolation_level="read_committed")
        group_id = group_of(self)
        unread = Unread(
            Access.of_source(options),
            group_id=group_id,
            topics=options.topics,
            isolation_level=options.isolation_level,
        )

        def make() -> KafkaRecordSource:
            return KafkaRecordSource(
                options,
                group_id=group_id,
                clock=clock,
                transactional=transactional,
                together=self.reorder is not None,
            )

        return RecoveringSource(make, unread)

    def _kafka_sink(self, options: KafkaSink, source: Source, clock: Clock) -> Sink:
        outcomes = self.outcomes
        changelog = None if self.state.changelog is None else self.state.changelog.topic
        asked = (dead_letter_topic(self), outcomes.shed_topic, outcomes.ledger_topic, changelog)
        made = [topic for topic in asked if topic is not None]
        access = Access.of_sink(options, self.source)
        topics = self.source.topics if isinstance(self.source, KafkaSource) else ()
        if self.delivery == "at_least_once":
            return KafkaRecordSink(
                options, access=access, input_topics=topics, made_topics=made, clock=clock
            )
        asked_of = kafka_source(self, "delivery: exactly_once")
        if not isinstance(source, RecoveringSource):
            msg = "delivery: exactly_once needs source.kafka, whose offsets are a part of its transactions"
            raise ConfigError(msg)
        return KafkaTransactionalSink(
            Producers(options, access=access, input_topics=topics, made_topics=made),
            identity=TransactionalId(group_of(self), asked_of.group_instance_id),
            membership=lambda: source.membership,
            stored=source.stored,
            clock=clock,
        )
