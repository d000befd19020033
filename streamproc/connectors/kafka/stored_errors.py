"""What a group has stored, asked while its coordinator moves: an error is not the answer that nothing is stored.

Since version 2 an answer to OffsetFetch has an error of the whole group beside the topics, which then are empty
(KIP-88). aiokafka looks at the errors of partitions only: a broker that is still loading the group, or does not
coordinate it any more, is taken for one that knows of nothing stored. Whoever believed it would begin where
``auto_offset_reset`` says, store that, and so lose or repeat what lies between.

This reaches into aiokafka's coordinator, all in this file.
"""

from typing import Any, Final

from aiokafka import errors
from aiokafka.protocol.commit import OffsetFetchRequest

_NO_ERROR: Final = 0
_ELSEWHERE: Final = (
    errors.NotCoordinatorForGroupError.errno,
    errors.GroupCoordinatorNotAvailableError.errno,
)


def heed_stored_errors(consumer: Any) -> None:  # noqa: ANN401 - aiokafka has no types for it
    """Let a started consumer of a group ask again, or raise, where it is told such an error.

    Errors that pass (the group is being loaded, another broker coordinates it) are asked about again by aiokafka
    itself, as long as it takes.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    send = coordinator._send_req  # noqa: SLF001

    async def heeded(request: Any) -> Any:  # noqa: ANN401
        answer = await send(request)
        if isinstance(request, OffsetFetchRequest):
            code = getattr(answer, "error_code", _NO_ERROR)
            if code in _ELSEWHERE:
                coordinator.coordinator_dead()
            if code != _NO_ERROR:
                raise errors.for_code(code)(coordinator.group_id)
        return answer

    coordinator._send_req = heeded  # noqa: SLF001
