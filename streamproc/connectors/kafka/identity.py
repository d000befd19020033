"""A static member whose identity another process has taken: it must end, and not take it back.

Two processes with one ``group_instance_id`` are a mistake. The Java client ends the older one, which its requests
tell it (FENCED_INSTANCE_ID, KIP-345). aiokafka's heartbeats and commits name the member id alone, so all that it
is told is that this member is unknown, as after a session that was over; it joins again, and takes the identity
back from the younger one, which does the same, and so on for ever. What tells the two apart is the time: a member
that is unknown though the coordinator knew it within the session was replaced.

This reaches into aiokafka's coordinator, all in this file.
"""

import logging
from typing import Any

from aiokafka.errors import NodeNotReadyError

from streamproc.core import Clock

log = logging.getLogger(__name__)

_NO_ERROR, _REBALANCING = 0, 27
_UNKNOWN_MEMBER, _FENCED_INSTANCE = 25, 82
_OPEN_TO_ALL = "OffsetFetch"
"""A request that is answered without looking at who asks."""


class Identity:
    """Listens to what the coordinator answers a static member.

    Args:
        instance_id: the member's ``group_instance_id``.
        session_ns: its session's length.
        clock: to tell whether it could be over.

    Attributes:
        taken: True once another process has the identity; nothing more is sent to the coordinator then.
    """

    def __init__(self, instance_id: str, *, session_ns: int, clock: Clock) -> None:
        self.instance_id = instance_id
        self.taken = False
        self._session_ns = session_ns
        self._clock = clock
        self._known_ns: int | None = None

    def listen(self, consumer: Any) -> None:  # noqa: ANN401 - aiokafka has no types for it
        """Hear all answers of a consumer's coordinator.

        Where aiokafka is another than we know, nothing is heard.
        """
        coordinator: Any = getattr(consumer, "_coordinator", None)
        send = getattr(coordinator, "_send_req", None)
        if send is None:
            return

        async def heard(request: Any) -> Any:  # noqa: ANN401
            if self.taken:  # joining again would take the identity back
                raise NodeNotReadyError
            asked_ns = self._clock.now_ns()
            response = await send(request)
            if not type(request).__name__.startswith(_OPEN_TO_ALL):
                self.answered(error_codes(response), asked_ns)
            return response

        coordinator._send_req = heard  # noqa: SLF001

    def answered(self, codes: set[int], asked_ns: int) -> None:
        """The coordinator has answered.

        Args:
            codes: Kafka's numbers of the errors, 0 for none.
            asked_ns: when it was asked.
        """
        if codes <= {_NO_ERROR, _REBALANCING}:
            self._known_ns = asked_ns
            return
        within = self._known_ns is not None and asked_ns - self._known_ns < self._session_ns
        if _FENCED_INSTANCE in codes or (_UNKNOWN_MEMBER in codes and within):
            self.taken = True

    def __str__(self) -> str:
        return f"another process has joined the group with group_instance_id {self.instance_id!r}"


def error_codes(response: Any) -> set[int]:  # noqa: ANN401
    """The errors of an answer of the group's coordinator: of the whole, or of each partition (OffsetCommit)."""
    code = getattr(response, "error_code", None)
    if code is not None:
        return {int(code)}
    topics = getattr(response, "topics", None) or ()
    return {int(partition[-1]) for topic in topics for partition in topic[-1]}
