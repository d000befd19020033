"""Watches a pipeline's objectives while it runs: looks at the books, tells of alerts, asks for what ``on_burn`` says."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from streamproc.config import PipelineConfig, kafka_sink, kafka_source
from streamproc.connectors.kafka import Access, TopicWriter
from streamproc.core import NS_PER_S, Clock
from streamproc.runtime.label_topic import LabelTopic
from streamproc.slo import (
    Alert,
    Courier,
    Evaluator,
    Measures,
    SloCollector,
    Webhook,
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
        self._webhook: Webhook | None = None
        self._writer: TopicWriter | None = None
        self._couriers = tuple(self._make_couriers())
        self._labels = LabelTopic(config, clock)
        self._saved_ns = clock.now_ns()
        self._failed = False
        self.collector = SloCollector(
            config.name,
            self._evaluator,
            labels=lambda: self._labels.counts,
            delivered=lambda: {c.place: (c.sent, c.failed) for c in self._couriers},
        )

    def view(self) -> list[dict[str, Any]]:
        """How the objectives stand, for ``/api/status``."""
        return view_of(self._evaluator)

    def change(self, config: PipelineConfig) -> None:
        """Go on with other objectives, after a reload; where alerts go stays."""
        self._evaluator.change(config.slo, _ladder_of(config))
        self._labels.change(config)

    async def run(self) -> None:
        """Watch until cancelled; then the windows are kept, and what is to be told is tried once more."""
        if (path := self._state_path) is not None:
            await asyncio.to_thread(restore, path, self._config.name, self._evaluator)
        beside = [asyncio.create_task(courier.run()) for courier in self._couriers]
        beside.append(asyncio.create_task(self._labels.run()))
        try:
            while True:
                self._look_safely()
                await asyncio.sleep(self._config.alerts.every / NS_PER_S)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
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
        if accounts is None or not self._evaluator.objectives:
            return
        now_ns = self._clock.now_ns()
        alerts = self._evaluator.look(now_ns, accounts, self._labels.counts)
        for alert in alerts:
            _say(alert)
        for courier in self._couriers:
            courier.tell(alerts)
        measures = self._evaluator.measures
        if measures != self._measures:
            _say_measures(self._measures, measures)
            self._measures = measures
            self._brake(measures)
        if now_ns - self._saved_ns >= _SAVE_EVERY_NS:
            self._saved_ns = now_ns
            self._save()

    @property
    def _state_path(self) -> Path | None:
        state = self._config.alerts.state
        return None if state is None else Path(state)

    def _save(self) -> None:
        # On the loop on purpose: 1 MB at most each minute, of windows that a thread would see half changed.
        if (path := self._state_path) is not None and self._evaluator.objectives:
            save(path, self._config.name, self._evaluator)

    def _make_couriers(self) -> list[Courier]:
        alerts, found = self._config.alerts, []
        if alerts.webhook is not None:
            self._webhook = Webhook(self._config.name, alerts.webhook, alerts.token)
            found.append(Courier("webhook", self._post))
        if alerts.topic is not None:
            source = kafka_source(self._config, "alerts.topic")
            sink = kafka_sink(self._config, "alerts.topic")
            self._writer = TopicWriter(Access.of_sink(sink, source), alerts.topic, sink)
            found.append(Courier("topic", self._write))
        return found

    async def _post(self, alerts: Sequence[Alert]) -> None:
        if self._webhook is not None:
            await asyncio.to_thread(self._webhook.post, alerts)

    async def _write(self, alerts: Sequence[Alert]) -> None:
        if self._writer is not None:
            await self._writer.write(
                [(alert.fingerprint.encode(), msgspec.json.encode(alert)) for alert in alerts]
            )

    async def _close(self) -> None:
        self._save()
        for courier in self._couriers:
            await courier.finish()
        if self._writer is not None:
            await self._writer.stop()
        if self._webhook is not None:
            self._webhook.close()


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
