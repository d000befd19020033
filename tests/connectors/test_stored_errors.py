"""A coordinator that cannot say what a group has stored is asked again, and not taken for one where nothing is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from streamproc.connectors.kafka.stored_errors import heed_stored_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

TP = TopicPartition("ticks", 0)
LOADING, NOT_AVAILABLE, NOT_COORDINATOR, NOT_ALLOWED = 14, 15, 16, 30
STORED = OffsetFetchResponse_v3(0, [("ticks", [(0, 42, "", 0)])], 0)
NOTHING = OffsetFetchResponse_v3(0, [("ticks", [(0, -1, "", 0)])], 0)


class Coordinator(GroupCoordinator):  # type: ignore[misc]
    """aiokafka's own, but for the network: brokers answer with these, one after the other."""

    def __init__(self, answers: Sequence[OffsetFetchResponse_v3]) -> None:
        self.group_id = "g"
        self._retry_backoff_ms = 1
        self._answers = list(answers)
        self.looked_for = self.left = 0

    async def ensure_coordinator_known(self) -> None:
        self.looked_for += 1

    def coordinator_dead(self) -> None:
        self.left += 1

    async def _send_req(self, request: Any) -> Any:
        return self._answers.pop(0)

    def __del__(self) -> None:
        """It has no task to end."""


def failed(code: int) -> OffsetFetchResponse_v3:
    """As Kafka answers: an error of the group, and no topics."""
    return OffsetFetchResponse_v3(0, [], code)


async def stored(coordinator: Coordinator) -> int | None:
    heed_stored_errors(SimpleNamespace(_coordinator=coordinator))
    found = await coordinator.fetch_committed_offsets([TP])
    return found[TP].offset if TP in found else None


@pytest.mark.parametrize(("code", "left"), [(LOADING, 0), (NOT_AVAILABLE, 1), (NOT_COORDINATOR, 1)])
async def test_it_is_asked_again_until_it_knows(code: int, left: int) -> None:
    coordinator = Coordinator([failed(code), STORED])
    assert await stored(coordinator) == 42
    assert (coordinator.looked_for, coordinator.left) == (2, left)


async def test_that_nothing_is_stored_is_believed() -> None:
    assert await stored(Coordinator([failed(LOADING), NOTHING])) is None


async def test_what_does_not_pass_is_raised() -> None:
    with pytest.raises(GroupAuthorizationFailedError, match="g"):
        await stored(Coordinator([failed(NOT_ALLOWED)]))


async def test_without_it_an_error_looks_like_nothing_stored() -> None:
    """Once aiokafka looks at the error itself, this file of ours can go."""
    coordinator = Coordinator([failed(LOADING), STORED])
    assert await coordinator.fetch_committed_offsets([TP]) == {}
