"""A static member tells the end of its session from the loss of its identity."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaError
from aiokafka.protocol.commit import OffsetCommitResponse_v3, OffsetFetchResponse_v3
from aiokafka.protocol.group import HeartbeatRequest_v1, HeartbeatResponse_v1, JoinGroupResponse_v5

from streamproc.connectors.kafka.identity import Identity, error_codes
from streamproc.core import NS_PER_S, VirtualClock

SESSION_S = 10
UNKNOWN_MEMBER, REBALANCING, FENCED, NOT_COORDINATOR = 25, 27, 82, 16


class Member:
    """A consumer whose coordinator answers what the test wants."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.identity = Identity("it", session_ns=SESSION_S * NS_PER_S, clock=self.clock)
        self.answer: Any = None
        self.asked = 0
        self._coordinator = self
        self._send_req = self._answer
        self.identity.listen(self)

    async def _answer(self, _request: Any) -> Any:
        self.asked += 1
        return self.answer

    async def beat(self, code: int, *, after_s: float = 1.0) -> bool:
        """A heartbeat; gives whether the identity is taken."""
        self.clock.advance(int(after_s * NS_PER_S))
        self.answer = HeartbeatResponse_v1(0, code)
        await self._send_req(HeartbeatRequest_v1("group", 1, "member"))
        return self.identity.taken


@pytest.mark.parametrize("before", [0, REBALANCING])
async def test_unknown_though_it_was_just_known(before: int) -> None:
    member = Member()
    assert not await member.beat(before)
    assert await member.beat(UNKNOWN_MEMBER, after_s=SESSION_S - 1)


async def test_unknown_after_its_session_is_no_loss() -> None:
    member = Member()
    assert not await member.beat(0)
    assert not await member.beat(UNKNOWN_MEMBER, after_s=SESSION_S + 1)


async def test_unknown_before_it_was_ever_known_is_no_loss() -> None:
    assert not await Member().beat(UNKNOWN_MEMBER)


async def test_fenced_is_a_loss_at_any_time() -> None:
    assert await Member().beat(FENCED)


async def test_other_errors_say_nothing() -> None:
    member = Member()
    await member.beat(0)
    assert not await member.beat(NOT_COORDINATOR)
    assert await member.beat(UNKNOWN_MEMBER)  # it was known two seconds ago


async def test_an_answer_that_anybody_gets_does_not_make_it_known() -> None:
    member = Member()
    member.answer = OffsetFetchResponse_v3(0, [("topic", [(0, 7, "", 0)])], 0)

    class OffsetFetchRequest: ...

    await member._send_req(OffsetFetchRequest())
    assert not await member.beat(UNKNOWN_MEMBER)


async def test_nothing_more_is_sent_once_it_is_taken() -> None:
    """A join would take the identity back, from the one that has it now."""
    member = Member()
    await member.beat(FENCED)
    asked = member.asked
    with pytest.raises(KafkaError):
        await member.beat(0)
    assert member.asked == asked


def test_the_errors_of_an_answer() -> None:
    assert error_codes(JoinGroupResponse_v5(0, 79, 1, "", "", "", [])) == {79}
    partly = [("a", [(0, 0), (1, UNKNOWN_MEMBER)])]
    assert error_codes(OffsetCommitResponse_v3(0, partly)) == {0, UNKNOWN_MEMBER}
