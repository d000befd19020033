"""Where alerts go, and what becomes of those that are open when a reload names other places."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from streamproc.config import PipelineConfig, kafka_sink, kafka_source
from streamproc.connectors.kafka import Access, TopicWriter
from streamproc.slo import Alert, Courier, Webhook, instant_text

log = logging.getLogger(__name__)

NOTE: Final = "not told here any more: a reload named other places for alerts"
"""Stands in the last word of an alert that still fires, to a place that hears no more of it."""


@dataclass(slots=True, eq=False)
class _Place:
    """One of them.

    Attributes:
        target: the URL, or the topic's name.
        courier: takes alerts there.
        close: ends its client.
        renew: shows another token from now on.
        task: the courier's; None before the places are opened.
    """

    target: str
    courier: Courier
    close: Callable[[], Awaitable[None]]
    renew: Callable[[str | None], None]
    task: asyncio.Task[None] | None = None


class AlertPlaces:
    """Belongs to the event loop.

    Args:
        config: the pipeline.
    """

    def __init__(self, config: PipelineConfig) -> None:
        self._places = {kind: _MAKE[kind](config) for kind in _targets(config)}
        self._left: list[_Place] = []
        """Those of earlier configurations: what they took is counted on."""
        self._open = False
        self._leaving: set[asyncio.Task[None]] = set()

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Take these to all places; nobody waits for it."""
        for place in self._places.values():
            place.courier.tell(alerts)

    def delivered(self) -> dict[str, tuple[int, int]]:
        """By kind of place, the alerts that were taken and the tries that were not, since the start."""
        found: dict[str, tuple[int, int]] = {}
        for place in (*self._left, *self._places.values()):
            courier = place.courier
            sent, failed = found.get(courier.place, (0, 0))
            found[courier.place] = (sent + courier.sent, failed + courier.failed)
        return found

    def open(self) -> None:
        """Begin to take alerts there."""
        self._open = True
        for place in self._places.values():
            place.task = asyncio.create_task(place.courier.run())

    async def close(self) -> None:
        """One last try for what waits."""
        self._open = False
        await asyncio.gather(*map(_let_go, self._places.values()), *self._leaving)

    def change(self, config: PipelineConfig, firing: Sequence[Alert], now_ns: int) -> None:
        """Go on with other places: a new one is told all that fires, one that is left that it hears no more of it.

        Args:
            config: the pipeline from now on.
            firing: the alerts that are open.
            now_ns: the present instant.
        """
        wanted, before = _targets(config), self._places
        self._places = {}
        for kind, target in wanted.items():
            kept = before.get(kind)
            if kept is not None and kept.target == target:
                kept.renew(config.alerts.token)
                self._places[kind] = before.pop(kind)
            else:
                self._places[kind] = self._begin(_MAKE[kind](config), firing)
                log.warning("alerts go to the %s %s from now on", kind, target)
        for kind, place in before.items():
            log.warning("alerts go to the %s %s no more", kind, place.target)
            self._leave(place, firing, now_ns)

    def _begin(self, place: _Place, firing: Sequence[Alert]) -> _Place:
        place.courier.tell(firing)
        if self._open:
            place.task = asyncio.create_task(place.courier.run())
        return place

    def _leave(self, place: _Place, firing: Sequence[Alert], now_ns: int) -> None:
        if place.task is not None:  # before it begins with the last word, which is for the last try
            place.task.cancel()
        ends_at = instant_text(now_ns)
        place.courier.tell(
            [
                msgspec.structs.replace(
                    alert,
                    status="resolved",
                    ends_at=ends_at,
                    annotations={**alert.annotations, "note": NOTE},
                )
                for alert in firing
            ]
        )
        self._left.append(place)
        if self._open:
            leaving = asyncio.create_task(_let_go(place))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


async def _let_go(place: _Place) -> None:
    if place.task is not None:
        place.task.cancel()
        await asyncio.gather(place.task, return_exceptions=True)
    await place.courier.finish()
    await place.close()


def _targets(config: PipelineConfig) -> dict[str, str]:
    """By kind, where alerts are to go."""
    found = {"webhook": config.alerts.webhook, "topic": config.alerts.topic}
    return {kind: target for kind, target in found.items() if target is not None}


def _webhook(config: PipelineConfig) -> _Place:
    alerts = config.alerts
    target = alerts.webhook or ""
    webhook = Webhook(config.name, target, alerts.token)

    async def post(told: Sequence[Alert]) -> None:
        await asyncio.to_thread(webhook.post, told)

    async def close() -> None:
        webhook.close()

    return _Place(target, Courier("webhook", post), close, webhook.renew)


def _topic(config: PipelineConfig) -> _Place:
    source, sink = kafka_source(config, "alerts.topic"), kafka_sink(config, "alerts.topic")
    target = config.alerts.topic or ""
    writer = TopicWriter(Access.of_sink(sink, source), target, sink)

    async def write(alerts: Sequence[Alert]) -> None:
        await writer.write(
            [(alert.fingerprint.encode(), msgspec.json.encode(alert)) for alert in alerts]
        )

    return _Place(target, Courier("topic", write), writer.stop, lambda _: None)


_MAKE: Final[Mapping[str, Callable[[PipelineConfig], _Place]]] = {
    "webhook": _webhook,
    "topic": _topic,
}
