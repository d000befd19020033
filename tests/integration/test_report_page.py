"""Reports in a real browser: nothing sticks out on a small screen, nothing is loaded, the console stays empty."""

from pathlib import Path

import pytest

from streamproc.reports import render
from tests.reports.runs import EVIL, all_runs
from tests.support.browser import Visit, browser, visit

PHONE, DESKTOP = 360, 1280

pytestmark = pytest.mark.skipif(
    browser() is None, reason="no Chromium is installed (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    pages = {name: render(run) for name, run in all_runs()}
    return visit(pages, (PHONE, DESKTOP), tmp_path_factory.mktemp("pages"))


def test_nothing_sticks_out(seen: Visit) -> None:
    assert {look.width for look in seen.looks} == {PHONE, DESKTOP}
    assert len(seen.looks) == 2 * len(list(all_runs()))
    stick_out = [
        (look.page, look.width, look.wide, look.beyond)
        for look in seen.looks
        if look.wide > look.width or look.beyond
    ]
    assert stick_out == []


def test_only_the_page_itself_is_loaded(seen: Visit) -> None:
    pages = len(list(all_runs()))
    assert sorted(set(seen.requested)) == sorted(
        ["/probe.html", *(f"/{number}.html" for number in range(pages))]
    )


def test_the_console_stays_empty(seen: Visit) -> None:
    assert seen.console == []


def test_what_somebody_wrote_is_shown_and_never_run(seen: Visit) -> None:
    (heading,) = {look.heading for look in seen.looks if look.page == "of everything"}
    assert heading.startswith(EVIL[:40])
    assert [look.page for look in seen.looks if look.alive] == []


def test_the_probe_would_notice(tmp_path: Path) -> None:
    broken = "<!DOCTYPE html><title>x</title><h1>x</h1><div style='width:500px'>wide</div>"
    script = "<script>console.error('something broke')</script><img src='missing.png' alt=''>"
    seen = visit({"broken": broken + script}, [PHONE], tmp_path)
    (look,) = seen.looks
    assert (look.wide > PHONE, look.beyond[0], look.alive) == (True, "DIV wide", 2)
    assert any("something broke" in line for line in seen.console)
    assert "/missing.png" in seen.requested
