"""Watches a pipeline's objectives while it runs: looks at the books, tells of alerts, asks for what ``on_burn`` says."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streamproc.config import PipelineConfig
from streamproc.core import NS_PER_S, Clock
from streamproc.runtime.alert_places import AlertPlaces
from streamproc.runtime.label_topic import LabelTopic
from streamproc.slo import (
    Alert,
    Evaluator,
    Measures,
    SloCollector,
    restore,
    save,
    view_of,
)
from streamproc.telemetry import Accounts

log = logging.getLogger(__name__)

_SAVE_EVERY_NS: Final = 60 * NS_PER_S


class SloWatch:
    """Belongs to the event loop of a service, or of the parent of workers.

    Args:
        config: the pipeline.
        clock: the time.
        accounts: the books; None before there are any.
        brake: carries out what a burning budget asks for.
    """

    def __init__(
        self,
        config: PipelineConfig,
        clock: Clock,
        *,
        accounts: Callable[[], Accounts | None],
        brake: Callable[[Measures], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._accounts = accounts
        self._brake = brake
        self._measures = Measures()
        self._evaluator = Evaluator(config.name, config.slo, config.alerts, _ladder_of(config))
        self._places = AlertPlaces(config)
        self._labels = LabelTopic(config, clock)
        self._saved_ns = clock.now_ns()
        self._failed = False
        self.collector = SloCollector(
            config.name,
            self._evaluator,
            labels=lambda: self._labels.counts,
            delivered=self._places.delivered,
        )

    def view(self) -> list[dict[str, Any]]:
        """How the objectives stand, for ``/api/status``."""
        return view_of(self._evaluator)

    def change(self, config: PipelineConfig) -> None:
        """Go on with other objectives and alerts, after a reload: what fires goes on."""
        if config.alerts != self._config.alerts:
            self._places.change(config, self._evaluator.book.firing, self._clock.now_ns())
        self._config = config
        self._evaluator.change(config.slo, _ladder_of(config), config.alerts)
        self._labels.change(config)

    async def run(self) -> None:
        """Watch until cancelled; then the windows are kept, and what is to be told is tried once more."""
        if (path := self._state_path) is not None:
            await asyncio.to_thread(restore, path, self._config.name, self._evaluator)
        self._places.open()
        labels = asyncio.create_task(self._labels.run())
        try:
            while True:
                self._look_safely()
                await asyncio.sleep(self._config.alerts.every / NS_PER_S)
        finally:
            labels.cancel()
            await asyncio.gather(labels, return_exceptions=True)
            with contextlib.suppress(asyncio.CancelledError):
                await self._close()

    def _look_safely(self) -> None:
        """A bug here must cost no event its decision, and must not be silent."""
        try:
            self.look()
        except Exception:
            if not self._failed:
                log.exception("a bug: objectives are not watched")
            self._failed = True

    def look(self) -> None:
        """Look at the books once."""
        accounts = self._accounts()
        if accounts is None or not self._is_anything_due():
            return
        now_ns = self._clock.now_ns()
        alerts = self._evaluator.look(now_ns, accounts, self._labels.counts)
        for alert in alerts:
            _say(alert)
        self._places.tell(alerts)
        measures = self._evaluator.measures
        if measures != self._measures:
            _say_measures(self._measures, measures)
            self._measures = measures
            self._brake(measures)
        if now_ns - self._saved_ns >= _SAVE_EVERY_NS:
            self._saved_ns = now_ns
            self._save()

    def _is_anything_due(self) -> bool:
        """Whether there are objectives; or there were, and something of them is to be ended."""
        evaluator = self._evaluator
        return bool(evaluator.objectives or evaluator.book.firing) or self._measures != Measures()

    @property
    def _state_path(self) -> Path | None:
        state = self._config.alerts.state
        return None if state is None else Path(state)

    def _save(self) -> None:
        # On the loop on purpose: 1 MB at most each minute, of windows that a thread would see half changed.
        if (path := self._state_path) is not None and self._evaluator.objectives:
            save(path, self._config.name, self._evaluator)

    async def _close(self) -> None:
        self._save()
        await self._places.close()


def _ladder_of(config: PipelineConfig) -> list[str]:
    return [variant.name for variant in config.model.ladder]


def _say(alert: Alert) -> None:
    labels = alert.labels
    which = " ".join(labels[name] for name in ("severity", "window") if name in labels)
    if alert.status == "firing":
        log.error("alert (%s): %s", which, alert.annotations["summary"])
    else:
        log.warning("over (%s): %s", which, alert.annotations["summary"])


def _say_measures(before: Measures, now: Measures) -> None:
    if now == Measures():
        log.warning("%s burns no longer: the settings hold again", ", ".join(before.because))
        return
    done = []
    if now.variant is not None:
        done.append(f"variant {now.variant} or a cheaper one decides")
    if now.max_queue is not None:
        done.append(f"what comes while {now.max_queue} wait is shed")
    if now.roll_back:
        done.append("a canary is taken back")
    log.warning("the budget of %s burns: %s", ", ".join(now.because), " and ".join(done))
