"""The schedule log: every instant and every answer that an engine was given, so that all of it can be done again.

The engine has no clock, threads or sockets of its own: what it does follows from what it is told, and when. So the
log holds just that, in columns: which call, the instants (those handed in, and the engine's own readings of its
clock, in their order), and the calls' numbers. Records and outputs are not in it: the records stand in the
recording, and the model gives its outputs again.
"""

import json
import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Self

import numpy as np

from streamproc.core import Clock, Int64Array, TopicPartition

VERSION: Final = 1
CALLS_MAX: Final = 8_192
"""Calls of one entry: some 200 KB, which makes an entry a rare event and its loss a small one."""
ENTRY_NS: Final = 500_000_000
"""An entry is handed on when it is older: a crash may take a second with it."""
_HEAD: Final = struct.Struct("<II")


class Call(IntEnum):
    """What was done to the engine."""

    CLOCK = 0
    """It read its clock."""
    ASSIGNED = 1
    """Numbers: how many, then source and position of each."""
    INGEST = 2
    """Numbers: source, first offset, records."""
    EFFECTS = 3
    COMPLETED = 4
    """Numbers: the run, the variant that ran, -1 for the one that was asked for."""
    FAILED = 5
    """Numbers: the run, the texts of its reason and of its words."""
    ACKNOWLEDGED = 6
    """Numbers: the ticket."""
    LEAVE = 7
    """Numbers: how many, then the sources."""
    RELEASE = 8
    """Numbers: how many, then the sources."""
    SKIPPED = 9
    """Numbers: source, start, end; the latter two -1 where nothing was jumped over."""
    DRAINING = 10
    """Numbers: 1 or 0."""
    RESCUED = 12
    """Numbers: how many follow, the run, the variant as of COMPLETED; then for each part that was not answered its
    first row, the row behind its last, and texts as of FAILED."""
    RELOADED = 13
    """It went on with other settings, which the log does not hold. Numbers: the text that names them."""
    HOLD = 14
    """Numbers: the best variant that may decide."""
    ROLLED_BACK = 15
    """A canary was taken back by an objective: as TAKEN_BACK, in logs of earlier versions. Numbers: the text that says why."""
    AT_ENDS = 16
    """Numbers: how many, then the sources that were read to their ends."""
    TAKEN_BACK = 17
    """A canary was taken back from outside. Numbers: the texts that say why, in a word and in words."""
    RUN = 11
    """It started a batch. Numbers: run, events, variant."""


TIMED: Final = frozenset(
    {Call.CLOCK, Call.EFFECTS, Call.COMPLETED, Call.FAILED, Call.RESCUED, Call.ACKNOWLEDGED}
)
"""Calls with an instant."""
NUMBERS: Final[Mapping[Call, int]] = {
    Call.CLOCK: 0,
    Call.INGEST: 3,
    Call.EFFECTS: 0,
    Call.COMPLETED: 2,
    Call.FAILED: 3,
    Call.ACKNOWLEDGED: 1,
    Call.SKIPPED: 3,
    Call.DRAINING: 1,
    Call.RELOADED: 1,
    Call.HOLD: 1,
    Call.ROLLED_BACK: 1,
    Call.TAKEN_BACK: 2,
    Call.RUN: 3,
}
"""How many numbers a call has; of the others, the first number says it."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an engine began with.

    Attributes:
        sweeps: by variant, the batch sizes measured and their times in ns.
        slots: how many batches may run at the same time.
    """

    sweeps: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    slots: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"sweeps": self.sweeps, "slots": self.slots}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        sweeps = tuple((tuple(map(int, a)), tuple(map(int, b))) for a, b in told["sweeps"])
        return cls(sweeps, int(told["slots"]))


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of the log.

    Attributes:
        calls: bytes [n], codes of ``Call``.
        instants_ns: int64 [timed calls].
        numbers: int64.
        sources: partitions that are named for the first time; they are numbered from 0 over all entries.
        texts: texts that are named for the first time, numbered likewise.
        begins: what the engine began with; None but in the first entry.
        number: the entry's, from 0.
    """

    calls: bytes
    instants_ns: Int64Array
    numbers: Int64Array
    sources: Sequence[TopicPartition] = ()
    texts: Sequence[str] = ()
    begins: Beginning | None = None
    number: int = 0

    def encode(self) -> bytes:
        """As bytes: a JSON header, then the columns, little-endian; instants as differences."""
        header: dict[str, Any] = {
            "entry": self.number,
            "instants": len(self.instants_ns),
            "numbers": len(self.numbers),
        }
        if self.sources:
            header["sources"] = self.sources
        if self.texts:
            header["texts"] = self.texts
        if self.begins is not None:
            header["begins"] = self.begins.as_dict()
        told = json.dumps(header).encode()
        steps_ns = np.diff(self.instants_ns, prepend=0).astype("<i8")
        return b"".join(
            (
                _HEAD.pack(len(told), len(self.calls)),
                told,
                self.calls,
                steps_ns.tobytes(),
                self.numbers.astype("<i8").tobytes(),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From bytes.

        Raises:
            ValueError: it is no entry.
        """
        try:
            told_bytes, calls = _HEAD.unpack_from(data)
            columns = _HEAD.size + told_bytes + calls
            header = json.loads(data[_HEAD.size : columns - calls])
            instants, numbers = int(header["instants"]), int(header["numbers"])
            steps_ns = np.frombuffer(data, "<i8", instants, columns)
            begins = header.get("begins")
            return cls(
                data[columns - calls : columns],
                np.cumsum(steps_ns, dtype=np.int64),
                np.frombuffer(data, "<i8", numbers, columns + 8 * instants),
                [TopicPartition(str(topic), int(n)) for topic, n in header.get("sources", ())],
                [str(text) for text in header.get("texts", ())],
                None if begins is None else Beginning.of(begins),
                int(header["entry"]),
            )
        except (struct.error, KeyError, TypeError, ValueError) as error:
            msg = f"no entry of a schedule log: {error}"
            raise ValueError(msg) from None


Append = Callable[[bytes, int], None]
"""Takes an entry of the log, and the last instant in it; must not wait."""


@dataclass(slots=True)
class ScheduleLog:
    """Writes the log: a few numbers are appended for a call, and an entry is made of thousands of them.

    Attributes:
        append: takes an entry.
    """

    append: Append
    _calls: bytearray = field(default_factory=bytearray)
    _instants_ns: "array[int]" = field(default_factory=lambda: array("q"))
    _numbers: "array[int]" = field(default_factory=lambda: array("q"))
    _sources: dict[TopicPartition, int] = field(default_factory=dict)
    _new_sources: list[TopicPartition] = field(default_factory=list)
    _texts: dict[str, int] = field(default_factory=dict)
    _new_texts: list[str] = field(default_factory=list)
    _begins: Beginning | None = None
    _since_ns: int = 0
    _entries: int = 0

    def begin(self, beginning: Beginning) -> None:
        """An engine begins with this."""
        self._begins = beginning

    def note(self, call: Call, *numbers: int) -> None:
        """A call without an instant."""
        self._calls.append(call)
        self._numbers.extend(numbers)

    def note_at(self, call: Call, instant_ns: int, *numbers: int) -> None:
        """A call at an instant."""
        self._calls.append(call)
        self._instants_ns.append(instant_ns)
        self._numbers.extend(numbers)

    def now(self, instant_ns: int) -> None:
        """The engine read its clock."""
        self._calls.append(Call.CLOCK)
        self._instants_ns.append(instant_ns)

    def source(self, source: TopicPartition) -> int:
        """The number of a partition."""
        number = self._sources.get(source)
        if number is None:
            number = self._sources[source] = len(self._sources)
            self._new_sources.append(source)
        return number

    def text(self, text: str) -> int:
        """The number of a text."""
        number = self._texts.get(text)
        if number is None:
            number = self._texts[text] = len(self._texts)
            self._new_texts.append(text)
        return number

    def cut(self, now_ns: int) -> None:
        """Hand an entry on if it is time; between two calls only."""
        if len(self._calls) >= CALLS_MAX or now_ns - self._since_ns >= ENTRY_NS:
            self._since_ns = now_ns  # before it is handed on: an entry without instants is of now
            self.flush()

    def flush(self) -> None:
        """Hand on what there is."""
        if not self._calls and self._begins is None:
            return
        entry = Entry(
            bytes(self._calls),
            np.array(self._instants_ns, np.int64),
            np.array(self._numbers, np.int64),
            self._new_sources,
            self._new_texts,
            self._begins,
            self._entries,
        )
        self._entries += 1
        last_ns = self._instants_ns[-1] if self._instants_ns else self._since_ns
        self._calls = bytearray()
        self._instants_ns, self._numbers = array("q"), array("q")
        self._new_sources, self._new_texts, self._begins = [], [], None
        self.append(entry.encode(), last_ns)


class LoggedClock:
    """A clock whose readings are in the log.

    Args:
        clock: the time.
        log: takes the readings.
    """

    __slots__ = ("_log", "_now_ns")

    def __init__(self, clock: Clock, log: ScheduleLog) -> None:
        self._now_ns = clock.now_ns
        self._log = log

    def now_ns(self) -> int:
        """See ``Clock``."""
        instant_ns = self._now_ns()
        self._log.now(instant_ns)
        return instant_ns
