"""The pipeline, as a Python user sees it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

from streamproc.config import LoadedConfig, PipelineConfig, check
from streamproc.connectors.kafka import (
    Access,
    KafkaRecordSink,
    KafkaRecordSource,
    RecoveringSource,
    Unread,
)
from streamproc.core import Clock, Executor, Sink, Source, SystemClock
from streamproc.executors import load_executors
from streamproc.runtime.assembly import dead_letter_topic
from streamproc.runtime.service import Parts, Service
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
        if executor is None:
            executors = load_executors(self.model, clock)
        else:
            executors = tuple(executor) if isinstance(executor, Sequence) else (executor,)
        progress_timeout = self.source.progress_timeout
        return Parts(
            source=source or self.kafka_source(clock),
            sink=sink or self._kafka_sink(clock),
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
        options, group_id = self.source, self.source.group_id or self.name
        unread = Unread(
            Access.of_source(options),
            group_id=group_id,
            topics=options.topics,
            isolation_level=options.isolation_level,
        )
        return RecoveringSource(
            lambda: KafkaRecordSource(options, group_id=group_id, clock=clock), unread
        )

    def _kafka_sink(self, clock: Clock) -> Sink:
        made = [t for t in (dead_letter_topic(self), self.outcomes.shed_topic) if t is not None]
        return KafkaRecordSink(
            self.sink,
            access=Access.of_sink(self.sink, self.source),
            input_topics=self.source.topics,
            made_topics=made,
            clock=clock,
        )
