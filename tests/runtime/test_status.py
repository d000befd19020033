"""``/api/status``, and pause and resume, over HTTP on a running service."""

import asyncio
import json
from typing import Any

import pytest

from streamproc.telemetry import Metrics, Telemetry
from tests.runtime.test_service import World, until
from tests.web.test_ops import ask

TOKEN = "0123456789abcdef-hidden"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Served:
    """A service with endpoints, and its address once it is ready."""

    def __init__(self) -> None:
        self.addresses: list[str | None] = []
        self.world = World(
            ends=False,
            service={"on_ready": self.addresses.append},
            telemetry=Telemetry(metrics=Metrics(listen="127.0.0.1:0", token=TOKEN)),
        )

    async def get(self, path: str, method: str = "GET") -> dict[str, Any]:
        answer = await ask(str(self.addresses[0]), path, method, **BEARER)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


async def test_paused_it_takes_in_nothing_and_keeps_its_partitions() -> None:
    served = Served()
    world = served.world
    run = world.start()
    await until(lambda: served.addresses and all(world.service.readiness().values()))  # type: ignore[arg-type,return-value]
    world.produce(4)
    await until(lambda: world.decided == 4)

    assert await served.get("/api/pause", "POST") == {"state": "paused"}
    await until(lambda: world.service._intake._paused)  # type: ignore[union-attr]
    world.produce(6)
    for _ in range(20):  # rounds of the loop, with polls in between
        await asyncio.sleep(0.002)
    assert world.decided == 4
    status = await served.get("/api/status")
    assert (status["state"], status["ready"]) == ("paused", True)
    assert status["summary"]["consumed"] == 4

    assert await served.get("/api/resume", "POST") == {"state": "running"}
    await until(lambda: world.decided == 10)
    world.service.stop()
    assert (await run)["consumed"] == 10


async def test_nobody_pauses_it_without_the_token() -> None:
    served = Served()
    run = served.world.start()
    await until(lambda: bool(served.addresses))
    for path, method in (("/api/pause", "POST"), ("/api/status", "GET"), ("/metrics", "GET")):
        answer = await ask(str(served.addresses[0]), path, method)
        assert answer.status == 401
    assert served.world.service.state() != "paused"
    served.world.service.stop()
    await run
