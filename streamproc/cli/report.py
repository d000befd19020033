"""The report of a run: watched while it runs, written when it is over, also when it failed."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from streamproc.cli.report_facts import facts
from streamproc.cli.screen import line, notes_console
from streamproc.config import LoadedConfig
from streamproc.core import ExternalError, ModelInfo, SystemClock
from streamproc.reports import Check, ReportFile, Run, render
from streamproc.telemetry import Accounts, Gauges, Summary, Timeline

_SAMPLE_EVERY_S = 0.25
"""A sample costs 0.10 to 0.15 ms of the event loop: 0.06% of a core."""


class Watched(Protocol):
    """What a report wants to know of a service."""

    def accounts(self) -> Accounts | None:
        """The books; None before there are any."""
        ...

    def gauges(self) -> Gauges:
        """What is waiting at this moment."""
        ...

    def summary(self) -> Summary | None:
        """How things stand; None before there are books."""
        ...

    def models(self) -> Sequence[ModelInfo]:
        """The models that are loaded."""
        ...


class Report:
    """The report of one run.

    Args:
        path: where it goes; None for no report, and then nothing here does anything.
        loaded: the pipeline.

    Raises:
        ExternalError: it cannot be written there.
    """

    def __init__(self, path: Path | None, loaded: LoadedConfig) -> None:
        self._file = None if path is None else ReportFile(path)
        self._loaded = loaded
        self._clock = SystemClock()
        self._timeline = Timeline()
        self._service: Watched | None = None
        self._began_ns = 0
        self._sampling: asyncio.Task[None] | None = None
        self.written: Path | None = None
        """Where it stands, once it does."""

    def begin(self, service: Watched) -> None:
        """Watch a service from now on."""
        if self._file is not None:
            self._service = service
            self._began_ns = self._clock.now_ns()
            self._sampling = asyncio.create_task(self._sample_regularly())

    async def end(self) -> None:
        """Watch it no longer; may be called again."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)
            self._sampling = None
            self._sample()

    @property
    def is_done(self) -> bool:
        """True where it stands, or none was wanted."""
        return self._file is None or self.written is not None

    def as_json(self) -> dict[str, str | None]:
        """For the summary: where it stands, where one was wanted."""
        if self._file is None:
            return {}
        return {"report": None if self.written is None else str(self.written)}

    @contextlib.contextmanager
    def also_of_failures(self) -> Iterator[None]:
        """Write the report of a run that fails inside, if it had begun."""
        try:
            yield
        except Exception as error:
            if self._service is not None:
                self.write(failure=str(error) or type(error).__name__)
            raise

    def write(
        self,
        *,
        summary: Summary | None = None,
        failure: str | None = None,
        overload_meant: bool = False,
        notes: Sequence[str] = (),
        checks: Sequence[Check] = (),
        more_facts: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Write it, and say where it is; that it could not be written is said and costs nothing else.

        Args:
            summary: the run's own; None takes how things stand.
            failure: why it ended before it was meant to.
            overload_meant: True where the load was chosen to be too much.
            notes: what must be known to read the figures.
            checks: what was verified from outside.
            more_facts: further groups of them.
        """
        if self._file is None or self._service is None:
            return
        notes_on, redact = notes_console(), self._loaded.redact
        try:
            accounts, summary = self._service.accounts(), summary or self._service.summary()
            if accounts is None or summary is None:
                return
            config = self._loaded.config
            known = facts(config, self._service.models(), sys.argv[1:]) | dict(more_facts or {})
            run = Run(
                accounts=accounts,
                intervals=self._timeline.intervals(),
                began_ns=self._began_ns,
                duration_s=summary["duration_s"],
                cpu_s=summary["cpu_s"],
                budget_ns=int(config.deadline.budget),
                from_event_time=config.deadline.from_ == "event_time",
                overload_meant=overload_meant,
                failure=None if failure is None else redact(failure),
                notes=notes,
                checks=checks,
                facts={
                    group: {name: redact(value) for name, value in values.items()}
                    for group, values in known.items()
                },
            )
            self._file.write(render(run))
        except ExternalError as error:
            line(notes_on, str(error), "bold red")
            return
        except Exception as error:  # noqa: BLE001 - what became of the run itself is still to be told
            name = type(error).__name__
            line(notes_on, f"no report, for a bug: {name}: {redact(str(error))}", "bold red")
            return
        self.written = self._file.path
        line(notes_on, f"report: {self.written}")

    async def _sample_regularly(self) -> None:
        while True:
            self._sample()
            await asyncio.sleep(_SAMPLE_EVERY_S)

    def _sample(self) -> None:
        if self._service is None:
            return
        accounts = self._service.accounts()
        if accounts is not None:
            self._timeline.sample(accounts, self._service.gauges(), self._clock.now_ns())
