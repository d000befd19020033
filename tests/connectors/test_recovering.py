"""A source made anew, but not by one whose place another has taken."""

from typing import cast

import pytest

from streamproc.connectors.kafka import KafkaRecordSource, RecoveringSource, Unread
from streamproc.core import AssignmentListener, ExternalError, TopicPartition


class Plain:
    """A source that can be made anew."""

    skipped_total = 0
    rewind_ns = 0
    recall = None
    paused = False

    async def start(self, listener: object) -> None:
        """Joins at once."""

    async def stop(self) -> None:
        """Leaves at once."""

    async def commit(self, positions: object) -> None:
        """Stores them."""

    def require_membership(self) -> None:
        """It is ours."""

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class Listener:
    """Owns nothing."""

    async def revoked(self, partitions: object) -> dict[TopicPartition, int]:
        return {}


async def test_one_that_is_paused_is_still_paused_when_it_is_made_anew() -> None:
    """Else what is polled comes to somebody who has no room for it, and thinks that nothing can come."""
    made: list[Plain] = []

    def make() -> KafkaRecordSource:
        made.append(Plain())
        return cast("KafkaRecordSource", made[-1])

    source = RecoveringSource(make, cast("Unread", None))
    await source.start(cast("AssignmentListener", Listener()))
    source.pause()
    await source.rejoin()
    assert [one.paused for one in made] == [True, True]
    source.resume()
    await source.rejoin()
    assert [one.paused for one in made] == [True, False, False]


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
