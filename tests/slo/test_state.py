"""What survives a restart, and what a file that is not ours does: nothing."""

from pathlib import Path

import pytest

from streamproc.core import NS_PER_S
from streamproc.slo import Alerts, Counts, Evaluator, Objective, OnBurn, restore, save

PROMISES = [
    Objective("a", 99.0, good=("on_time", "degraded"), on_burn=OnBurn(variant="small")),
    Objective("b", 99.0, bad="late"),
]


def evaluator() -> Evaluator:
    return Evaluator("p", PROMISES, Alerts(), ("full", "small"))


def test_windows_alerts_and_brakes_survive(tmp_path: Path) -> None:
    before, path = evaluator(), tmp_path / "p.state"
    for place in range(100):
        bad = {"a": 5 * place, "b": 0}
        before.look_at(place * 5 * NS_PER_S, lambda o, b=bad, n=place: Counts(10 * n, b[o.name]))
    assert before.measures.variant == "small"
    save(path, "p", before)
    after = evaluator()
    restore(path, "p", after)
    told = after.look_at(500 * NS_PER_S, lambda o: Counts(0, 0))
    assert after.measures.variant == "small"
    assert {a.labels["slo"] for a in told} == {"a"}
    assert [s.period.total for s in after.standings] == pytest.approx([990, 990], rel=0.02)


@pytest.mark.parametrize("content", [None, b"", b"\x00" * 100, b'{"form": 1}'])
def test_what_is_no_such_file_begins_anew(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "p.state"
    if content is not None:
        path.write_bytes(content)
    after = evaluator()
    restore(path, "p", after)
    after.look_at(0, lambda o: Counts(1, 0))
    assert [s.absent for s in after.standings] == [False, False]


def test_a_folder_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    save(tmp_path / "none" / "p.state", "p", evaluator())
