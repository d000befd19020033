"""A front door without a pipeline behind it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from streamproc.core import Columns, TensorSpec
from streamproc.web import Reply, front_door_app


class Model:
    """Is ready, and never asked."""

    name = "p"
    limits = (8, 1_000)

    def tensors(self) -> tuple[Sequence[TensorSpec], Sequence[TensorSpec]]:
        return (), ()

    def ready(self) -> bool:
        return True

    async def infer(
        self, inputs: Columns, *, deadline_ns: int | None, timeout_ns: int | None
    ) -> Reply:
        raise NotImplementedError


async def post(*, parts: Sequence[bytes], ends: bool) -> int:
    """The status of a request whose body comes in parts, and ends or does not."""
    events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if events:
            return events.pop(0)
        if not ends:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v2/models/p/infer", "headers": [], "query_string": b"", "app": None
    }  # fmt: skip
    await front_door_app(Model())(scope, receive, send)  # type: ignore[arg-type]
    return int(told[0]["status"])


async def test_who_is_too_slow_with_a_body_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.web.front_door.BODY_S", 0.01)
    async with asyncio.timeout(60):
        assert await post(parts=[b"{"], ends=False) == 408


async def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    async with asyncio.timeout(60):
        assert await post(parts=[b" " * 600] * 2, ends=False) == 413
    assert await post(parts=[b"{"], ends=True) == 400
