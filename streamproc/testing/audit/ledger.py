"""What the ledger says, held against the outputs and the committed offsets."""

from collections.abc import Collection, Iterator, Mapping

from streamproc.core import TopicPartition
from streamproc.engine import LedgerRecord

_DECIDED = frozenset({"on_time", "degraded", "late"})
_NEVER_SENT = frozenset({"filtered", "absorbed", "late"})
"""Outcomes of which perhaps nothing is sent: late ones where ``late: drop``."""


class LedgerBook:
    """Gathers the ledger's records, each partition's in their order."""

    def __init__(self) -> None:
        self._told: dict[TopicPartition, dict[int, list[str]]] = {}
        """By partition and offset: the words, as often as they were told."""
        self._begun: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    def add(self, record: LedgerRecord) -> None:
        """One more record.

        Raises:
            ValueError: its offsets are none.
        """
        source = TopicPartition(record.topic, record.partition)
        self._begun.setdefault(source, record.start)
        self._ends[source] = record.end
        told = self._told.setdefault(source, {})
        for outcome in record.outcomes:
            for part in outcome.offsets.split(","):
                first, _, last = part.partition("-")
                for offset in range(int(first), int(last or first) + 1):
                    told.setdefault(offset, []).append(outcome.outcome)

    def unsent(self, events: Collection[str], *, letters: Collection[str]) -> set[str]:
        """Those of the events that have an outcome of which nothing is sent.

        Args:
            events: events that no output speaks of.
            letters: the outcomes of which letters are sent.
        """
        silent = _NEVER_SENT | ({"dead_letter", "shed"} - set(letters))
        return {event for event in events if silent & set(self._words(event))}

    def problems(
        self,
        words: Mapping[str, Collection[str]],
        inputs: Mapping[TopicPartition, Collection[int]],
        committed: Mapping[TopicPartition, int],
        *,
        once: bool,
    ) -> Iterator[str]:
        """What does not fit.

        Args:
            words: the outcomes that outputs tell of each event.
            inputs: the offsets of the inputs, by partition.
            committed: where the group will read on.
            once: whether everything must be told once.
        """
        for source, told in self._told.items():
            prefix = f"{source.topic}/{source.partition}"
            position = committed.get(source, 0)
            if position > self._ends[source]:
                yield f"{prefix} ends with {self._ends[source]}, committed is {position}"
            for offset in inputs.get(source, ()):
                event, said = f"{prefix}/{offset}", told.get(offset, [])
                if not said and self._begun[source] <= offset < position:
                    yield f"{event} is committed and not told"
                if once and len(said) > 1 and event in words:
                    yield f"{event} is told {len(said)} times"
                if said and event in words and not _same_kind(said, words[event]):
                    yield f"{event} is {said[0]}, published as {'/'.join(words[event])}"

    def _words(self, event: str) -> list[str]:
        topic, partition, offset, *_ = event.split("/")
        return self._told.get(TopicPartition(topic, int(partition)), {}).get(int(offset), [])


def _same_kind(said: Collection[str], published: Collection[str]) -> bool:
    """Whether one of the outcomes told was published: what was sent in time may have come late."""
    kinds = [
        {"decided" if word in _DECIDED else word for word in words} for words in (said, published)
    ]
    return bool(kinds[0] & kinds[1])
