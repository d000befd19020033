"""Alerts on their way: the newest state of each, tried again, and never waited for."""

import asyncio
from collections.abc import Sequence

import pytest

from streamproc.core import ExternalError
from streamproc.slo import Alert, Courier


def alert(name: str, status: str = "firing") -> Alert:
    return Alert(status, {"alertname": name}, {}, "t", fingerprint=name)  # type: ignore[arg-type]


class Place:
    """Takes alerts, when it is there."""

    def __init__(self) -> None:
        self.error: ExternalError | None = None
        self.tries = 0
        self.taken: list[list[tuple[str, str]]] = []

    async def send(self, alerts: Sequence[Alert]) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.taken.append([(a.fingerprint, a.status) for a in alerts])


@pytest.fixture
def place() -> Place:
    return Place()


async def spin(until: object) -> None:
    async with asyncio.timeout(20):
        while not until():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_waits_is_one_state_an_alert(place: Place) -> None:
    place.error = ExternalError("is away", retriable=True)
    courier = Courier("place", place.send, first_backoff_s=0.0)
    running = asyncio.create_task(courier.run())
    for _ in range(1_000):
        courier.tell([alert("a"), alert("b")])
    await spin(lambda: place.tries >= 3)
    courier.tell([alert("a", "resolved")])
    place.error = None
    await spin(lambda: place.taken)
    running.cancel()
    assert sorted(place.taken[0]) == [("a", "resolved"), ("b", "firing")]
    assert courier.sent == 2
    assert courier.failed >= 3


async def test_what_is_refused_for_good_is_dropped(place: Place) -> None:
    place.error = ExternalError("answers 400", retriable=False)
    courier = Courier("place", place.send)
    running = asyncio.create_task(courier.run())
    courier.tell([alert("a")])
    await spin(lambda: courier.failed)
    place.error = None
    courier.tell([alert("b")])
    await spin(lambda: place.taken)
    running.cancel()
    assert place.taken == [[("b", "firing")]]


async def test_the_last_word_is_tried_once_more(place: Place) -> None:
    courier = Courier("place", place.send)
    courier.tell([alert("a", "resolved")])
    await courier.finish()
    assert place.taken == [[("a", "resolved")]]
    place.error = ExternalError("is away", retriable=True)
    courier.tell([alert("b")])
    await courier.finish()
    assert place.tries == 2
