"""The table in the docs is made of results, and keeps what was not played again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.audit import Audit
from tests.faults.run import Result
from tests.faults.scenario import Scenario, all_scenarios, named
from tests.faults.table import BEGIN, DOCUMENT, END, table, write_table

if TYPE_CHECKING:
    from pathlib import Path


def result(name: str, said: str = "fine", *, seed: int = 1, failure: str = "") -> Result:
    played = Scenario(name, f"{name} | breaks", "nothing lost", lambda _: None)
    found = Audit(events=1_000, missing=0, letters=0, repeats=5, gap_s=0.1, problems=())
    return Result(played, seed, said, failure, took_s=1.0, audits=(found,))


def test_a_row_a_scenario() -> None:
    rows = table([result("a"), result("b", "TimeoutError: lost", failure="a traceback")])
    assert rows.splitlines()[2:] == [
        "| `a` | a / breaks | nothing lost | fine (seed 1) |",
        "| `b` | b / breaks | nothing lost | **not kept**: TimeoutError: lost (seed 1) |",
    ]


def test_several_seeds_of_one_are_one_row() -> None:
    rows = table([result("a", seed=3), result("a", seed=4, failure="lost"), result("a", seed=5)])
    [row] = rows.splitlines()[2:]
    assert row.endswith(
        "| seeds 3 to 5: 2 of 3 kept; 3,000 events: 0 missing, 15 repeats; **not kept** with 4 |"
    )


def test_only_what_was_played_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write_table([result("a"), result("b")], "today", page)
    write_table([result("b", "better", seed=2), result("c")], "tomorrow", page)
    text = page.read_text()
    assert "\n\nFrom several runs, the last one: tomorrow.\n" in text
    assert text.startswith(f"before\n{BEGIN}\n| scenario |")
    assert text.endswith(f"{END}\nafter\n")
    assert [line.split(" |")[0] for line in text.splitlines()[4:-4]] == ["| `a`", "| `b`", "| `c`"]
    assert "better (seed 2)" in text
    write_table([result("c")], "today", page, whole=True)
    text = page.read_text()
    assert "`a`" not in text
    assert f"\n\nOne run of all 1 scenarios: today.\n{END}\nafter\n" in text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="marks"):
        write_table([result("a")], "today", page)


def test_the_docs_have_the_marks() -> None:
    assert BEGIN in DOCUMENT.read_text()
    assert END in DOCUMENT.read_text()


def test_a_scenario_is_found_by_its_name_and_a_mistake_is_told() -> None:
    names = [each.name for each in all_scenarios()]
    assert len(names) == len(set(names))
    assert named(names[0]).name == names[0]
    with pytest.raises(LookupError, match=names[-1]):
        named("no such thing")
