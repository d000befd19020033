"""A source made anew, but not by one whose place another has taken."""

from typing import cast

import pytest

from streamproc.connectors.kafka import KafkaRecordSource, RecoveringSource, Unread
from streamproc.core import ExternalError


class Replaced:
    """A source whose identity another process has."""

    started = 0

    async def start(self, listener: object) -> None:
        self.started += 1

    def require_membership(self) -> None:
        msg = "another process has joined the group"
        raise ExternalError(msg)


async def test_an_identity_that_another_process_has_is_not_taken_back() -> None:
    made: list[Replaced] = []

    def make() -> KafkaRecordSource:
        made.append(Replaced())
        return cast("KafkaRecordSource", made[-1])

    source = RecoveringSource(make, cast("Unread", None))
    await source.start(cast("object", None))  # type: ignore[arg-type]
    with pytest.raises(ExternalError, match="another process"):
        await source.rejoin()
    assert [one.started for one in made] == [1]
