"""What is named saves the event: told of a recording, applied to the whole of it, and played again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamproc.core import NS_PER_S, ConfigError, Outcome, process_cpu_ns
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.simulation import IN_TIME
from tests.integration.pipelines import report, size_of
from tests.replay.why.overload import Day, day, lost, outcomes

ANSWER_S = 2.0
"""Of CPU time, on a machine that does nothing else (``STREAMPROC_ALONE=1``): others take of the caches and cores."""
ALONE = bool(size_of("STREAMPROC_ALONE", 0))


def saved(one: Day, path: Path, samples: int, tmp_path: Path) -> list[tuple[bool, float]]:
    """For samples of the events that were lost, whether the named change puts them in time, and the CPU time of the answer (s)."""
    offsets = np.random.default_rng(3).choice(lost(path), samples, replace=False)
    played: dict[object, dict[int, Outcome]] = {}
    found = []
    for offset in offsets.tolist():
        begun_ns = process_cpu_ns()
        answer = one.explain(path, Coordinates("ticks", 0, offset))
        took_s = (process_cpu_ns() - begun_ns) / NS_PER_S
        if not answer.changes:
            found.append((False, took_s))
            continue
        change = answer.changes[0]
        day_of = (change.kind, change.amount, tuple(change.without))
        if day_of not in played:
            again = one.changed(change).replay(tmp_path / "changed.mcap")
            played[day_of] = outcomes(again)
        found.append((played[day_of].get(offset) in IN_TIME, took_s))
    return found


@pytest.fixture
def overload(tmp_path: Path) -> Callable[..., tuple[Day, Path]]:
    def make(*, seconds: float, rate_per_s: float) -> tuple[Day, Path]:
        one = day(seconds=seconds, rate_per_s=rate_per_s)
        return one, one.replay(tmp_path / "overload.mcap")

    return make


def test_the_named_change_saves_the_event(
    tmp_path: Path, overload: Callable[..., tuple[Day, Path]]
) -> None:
    one, path = overload(seconds=2.2, rate_per_s=3_200)
    assert all(is_saved for is_saved, _ in saved(one, path, 3, tmp_path))


@pytest.mark.slow
def test_the_named_change_saves_95_of_100_and_is_found_soon(
    tmp_path: Path, overload: Callable[..., tuple[Day, Path]]
) -> None:
    one, path = overload(seconds=4.0, rate_per_s=4_000)
    found = saved(one, path, 200, tmp_path)
    assert sum(is_saved for is_saved, _ in found) >= 0.95 * len(found)
    longest_s = max(took_s for _, took_s in found)
    report("why", samples=len(found), longest_answer_cpu_s=round(longest_s, 2))
    assert not ALONE or longest_s < ANSWER_S


def test_what_cannot_be_explained_is_said(overload: Callable[..., tuple[Day, Path]]) -> None:
    one, path = overload(seconds=0.2, rate_per_s=500)
    with pytest.raises(ConfigError, match="ticks/0/99999 has no outcome in the recording"):
        one.explain(path, Coordinates("ticks", 0, 99_999))
    answer = one.explain(path, Coordinates("ticks", 0, 20))
    assert answer.ended.outcome is Outcome.ON_TIME
    assert answer.changes == []
    assert answer.story.stages_ns["infer"] > 0
