"""One dead letter: where it came from and why, and whether and how it is put back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from streamproc.core import Headers
from streamproc.engine import (
    DETAIL_HEADER,
    OUTCOME_HEADER,
    OWN_HEADERS,
    REASON_HEADER,
    RECEIPT_HEADER,
    ROWS_HEADER,
    SIZE_HEADER,
    SOURCE_HEADER,
)

REDRIVEN_HEADER: Final = "streamproc-redriven"
"""Of a record that was put back: how often it was."""
FROM_HEADER: Final = "streamproc-redriven-from"
"""Of a record that was put back: ``topic/partition/offset`` of the record that failed."""
_DIGITS_MAX: Final = 19


class Place(NamedTuple):
    """Where a record stands in a topic."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str, topic: str = "") -> Self:
        """Read ``topic/partition/offset``, or ``partition/offset`` in a topic.

        Raises:
            ValueError: it is neither.
        """
        *name, partition, offset = ["", "", *text.rsplit("/", 2)][-3:]
        topic = name[0] or topic
        if not (topic and _is_number(partition) and _is_number(offset)):
            msg = f"{text!r} is no place: write PARTITION/OFFSET, as `dlq list` shows it"
            raise ValueError(msg)
        return cls(topic, int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it was read.

    Attributes:
        at: where it stands in the dead-letter topic.
        timestamp_ms: when it was sent, since 1970.
        source: where the record stood that failed.
        reason: why, a word of ``core.Reason``.
        detail: what was wrong, for people; may hold a part of the payload.
        redriven: how often the record had been put back before it failed.
        key: the record's key.
        value: the record's value; None too where it was not to be held.
        value_bytes: its length; None for a record without one.
        headers: the record's own headers, and ours.
    """

    at: Place
    timestamp_ms: int
    source: Place
    reason: str
    detail: str = field(repr=False)
    redriven: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    value_bytes: int | None
    headers: Headers = field(repr=False)

    @classmethod
    def read(
        cls,
        at: Place,
        *,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        held: bool,
    ) -> Self | None:
        """The letter that a record is; None for another one, whoever put it there."""
        named = {name: _text(content) for name, content in headers}
        if OUTCOME_HEADER not in named or RECEIPT_HEADER in named:
            return None
        try:
            source = Place.parse(named.get(SOURCE_HEADER, ""))
        except ValueError:
            return None
        return cls(
            at,
            timestamp_ms,
            source,
            named.get(REASON_HEADER, ""),
            named.get(DETAIL_HEADER, ""),
            _count(named.get(REDRIVEN_HEADER, "")),
            key,
            value if held else None,
            None if value is None else len(value),
            headers,
        )

    @property
    def cause(self) -> str:
        """The kind of exception that the user's code or the model raised; empty for none. Holds nothing of the payload."""
        kind, colon, _ = self.detail.partition(":")
        return kind if kind.isidentifier() and (colon or kind[:1].isupper()) else ""


def _text(content: bytes | None) -> str:
    """A header as text that a terminal can be shown: nobody knows who wrote it."""
    text = (content or b"").decode(errors="replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= _DIGITS_MAX


def _count(text: str) -> int:
    return int(text) if _is_number(text) else 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; what is empty or None means all.

    Attributes:
        places: these letters.
        reasons: those with one of these reasons.
        topic: those whose record came from this topic.
        partition: those whose record came from this partition.
        since_ms: those that were sent then or later, ms since 1970.
        until_ms: those that were sent before.
    """

    places: Collection[Place] = ()
    reasons: Collection[str] = ()
    topic: str | None = None
    partition: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, letter: Letter) -> bool:
        """True for a letter that is meant."""
        return (
            (not self.places or letter.at in self.places)
            and (not self.reasons or letter.reason in self.reasons)
            and (self.topic is None or letter.source.topic == self.topic)
            and (self.partition is None or letter.source.partition == self.partition)
            and (self.since_ms is None or letter.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or letter.timestamp_ms < self.until_ms)
        )


def why_not_returned(
    letter: Letter, *, topics: Sequence[str], times_max: int, whole: bool
) -> str | None:
    """Why a letter is not put back; None where it is.

    Args:
        letter: the letter.
        topics: the pipeline's source topics: a forged letter cannot make us write elsewhere.
        times_max: how often a record may be put back.
        whole: True to put a record back of which only some rows failed.
    """
    named = {name for name, _ in letter.headers}
    if letter.source.topic not in topics:
        return (
            f"it says that it came from {letter.source.topic}, which is no source of this pipeline"
        )
    if letter.redriven >= times_max:
        return (
            f"it was put back {letter.redriven} times already, and failed again (--max allows more)"
        )
    if letter.key is None and letter.value_bytes is None:
        return "it has neither key nor value: there is nothing to put back"
    if SIZE_HEADER in named:
        return "its value was too large to be kept"
    if ROWS_HEADER in named and not whole:
        return "only some rows of its record failed: the others would be decided twice (--whole-records does it)"
    return None


def returned(letter: Letter) -> Headers:
    """The headers that a record is put back with: its own, and a mark against loops."""
    own = OWN_HEADERS | {REDRIVEN_HEADER, FROM_HEADER}
    kept = [header for header in letter.headers if header[0] not in own]
    mark = (REDRIVEN_HEADER, str(letter.redriven + 1).encode())
    return [*kept, mark, (FROM_HEADER, str(letter.source).encode())]
