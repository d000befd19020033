"""What a pipeline tells beside its decisions: traces, and a recording of all of it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamproc.config import PipelineConfig
from streamproc.core import Clock, ModelInfo, RecordBatch
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.exporting import exporter_of
from streamproc.runtime.recording import RecordingTap, metadata_of, record_tables, recorder_of
from streamproc.runtime.shadow_records import ShadowRecords
from streamproc.runtime.table_topics import TableTopics
from streamproc.telemetry import Told

if TYPE_CHECKING:
    from streamproc.connectors.capture import Recorder
    from streamproc.telemetry.otlp import Exporter


class Telling:
    """Belongs to one run of a pipeline; where nothing is asked for, it does nothing.

    Args:
        config: the pipeline.
        clock: its time.
        models: all that runs now.

    Attributes:
        exporter: of traces; None where there are none, and before ``begin``.
    """

    def __init__(
        self, config: PipelineConfig, clock: Clock, models: Callable[[], list[ModelInfo]]
    ) -> None:
        self._config = config
        self._models = models
        self._clock = clock
        self._assembly: Assembly | None = None
        self._recorder: Recorder | None = None
        self._shadows: ShadowRecords | None = None
        self.exporter: Exporter | None = None

    def begin(self, models: list[ModelInfo]) -> Callable[[Told], None] | None:
        """Make what exports traces; gives what takes the journeys of events."""
        self.exporter = exporter_of(self._config, models)
        return None if self.exporter is None else self.exporter.export

    def record(
        self, assembly: Assembly, models: list[ModelInfo]
    ) -> Callable[[RecordBatch], None] | None:
        """Record what the assembly does from now on, if the user wants it; gives what takes what is polled.

        Raises:
            ConfigError: the folder cannot be written to.
        """
        self._assembly = assembly
        self._shadows = ShadowRecords(
            self._config,
            shadow=lambda: assembly.engine.rollout.shadow,
            variants=lambda: [model.variant for model in self._models()],
        )
        assembly.engine.rollout.told = self._shadows.told
        options = self._config.record
        if options is None:
            return None
        told = metadata_of(self._config, models, assembly.accounts.lanes, "service")
        self._recorder = recorder = recorder_of(self._config, options, told, self._clock)
        recorder.start()
        assembly.settlement.tap = RecordingTap(recorder, self._clock)
        return recorder.records

    def schedule(self, data: bytes, at_ns: int) -> None:
        """Record an entry of the schedule log."""
        if self._recorder is not None:
            self._recorder.schedule(data, at_ns or self._clock.now_ns())

    def tables(self, tables: TableTopics) -> None:
        """Record what the tables of lookups hold, and how they change from now on."""
        if self._recorder is not None:
            record_tables(tables, self._recorder)

    def count(self) -> None:
        """Put into the books what of it got lost."""
        if self._assembly is None:
            return
        accounts = self._assembly.accounts
        if self.exporter is not None:
            accounts.traces_exported = self.exporter.exported
            accounts.traces_dropped = self.exporter.dropped
        if self._recorder is not None:
            accounts.recorder_dropped = self._recorder.dropped

    async def close(self) -> None:
        """Export what waits, for a short while, and complete the recording."""
        if self.exporter is not None:
            if self._assembly is not None and self._assembly.tracer is not None:
                self._assembly.tracer.close()
            await asyncio.to_thread(self.exporter.close)
        if self._recorder is not None:
            await self._recorder.close()
        if self._shadows is not None:
            await self._shadows.close()
        self.count()
