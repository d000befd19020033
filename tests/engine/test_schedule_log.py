"""The schedule log: what goes in comes out, and what it costs is bounded."""

import numpy as np
import pytest

from streamproc.core import TopicPartition, VirtualClock
from streamproc.engine import Beginning, Call, Entry, LoggedClock, ScheduleLog
from streamproc.engine.schedule_log import CALLS_MAX, ENTRY_NS

BEGINNING = Beginning((((1, 2), (1_000, 1_500)),), slots=2)
T0 = TopicPartition("ticks", 0)


def log_into(entries: list[tuple[Entry, int]]) -> ScheduleLog:
    return ScheduleLog(lambda data, at_ns: entries.append((Entry.decode(data), at_ns)))


def test_what_goes_in_comes_out() -> None:
    entries: list[tuple[Entry, int]] = []
    log = log_into(entries)
    log.begin(BEGINNING)
    log.note(Call.INGEST, log.source(T0), 17, 3)
    LoggedClock(VirtualClock(5_000), log).now_ns()
    log.note_at(Call.FAILED, 4_000, 1, log.text(""), log.text("ValueError: \ud800"))
    log.flush()
    ((entry, at_ns),) = entries
    assert entry.begins == BEGINNING
    assert list(map(Call, entry.calls)) == [Call.INGEST, Call.CLOCK, Call.FAILED]
    assert entry.instants_ns.tolist() == [5_000, 4_000]
    assert entry.numbers.tolist() == [0, 17, 3, 1, 0, 1]
    assert entry.sources == [T0]
    assert entry.texts == ["", "ValueError: \ud800"]
    assert at_ns == 4_000


def test_names_are_told_once() -> None:
    entries: list[tuple[Entry, int]] = []
    log = log_into(entries)
    for number in (0, 1, 0):
        log.note(Call.LEAVE, 1, log.source(TopicPartition("ticks", number)))
        log.flush()
    assert [len(entry.sources) for entry, _ in entries] == [1, 1, 0]
    assert [entry.numbers[1] for entry, _ in entries] == [0, 1, 0]


def test_an_entry_is_cut_by_length_and_by_age() -> None:
    entries: list[tuple[Entry, int]] = []
    log = log_into(entries)
    log.cut(10**18)
    for _ in range(CALLS_MAX):
        log.note_at(Call.EFFECTS, 10**18)
        log.cut(10**18)
    assert [len(entry.calls) for entry, _ in entries] == [CALLS_MAX]
    log.note_at(Call.EFFECTS, 10**18)
    log.cut(10**18 + ENTRY_NS - 1)
    assert len(entries) == 1
    log.cut(10**18 + ENTRY_NS)
    assert len(entries) == 2
    log.flush()
    assert len(entries) == 2, "an empty entry"


@pytest.mark.parametrize("cut", [0, 3, 8, 20, -1])
def test_bytes_that_were_cut_are_refused(cut: int) -> None:
    data = Entry(bytes([Call.EFFECTS]), np.array([7]), np.array([], np.int64)).encode()
    with pytest.raises(ValueError, match="no entry of a schedule log"):
        Entry.decode(data[:cut])


def test_an_entry_without_instants_is_of_when_it_was_cut() -> None:
    """One of 1970 would be where a recording seems to begin."""
    entries: list[tuple[Entry, int]] = []
    log = log_into(entries)
    log.begin(BEGINNING)
    log.note(Call.ASSIGNED, 0)
    log.cut(10**18)
    log.note(Call.DRAINING, 1)
    log.flush()
    assert [at_ns for _, at_ns in entries] == [10**18, 10**18]
