"""The dashboard in a real browser, served as a pipeline serves it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamproc.web.dashboard import dashboard
from tests.support.browser import browser, open_page, visit
from tests.support.serving import serving
from tests.support.statuses import BURNING, MS, Still

PHONE, DESKTOP = 360, 1280
EVIL = "<img src=x onerror=alert(1)>" * 4

pytestmark = pytest.mark.skipif(
    browser() is None, reason="no Chromium is installed (Debian: apt-get install chromium)"
)


def eventful() -> Still:
    still = Still(EVIL)
    for _ in range(3):
        still.goes_on(queue_ns=200 * MS)
    return still


@pytest.fixture
def address() -> Iterator[str]:
    """A server on a loop of its own; a thousand events come between two looks."""
    still = eventful()
    status = still.status()

    def show() -> dict[str, object]:
        shown = status.show()
        still.goes_on(queue_ns=200 * MS)
        return shown

    with serving(still, show) as served:
        yield served


def test_it_lives_under_its_policy_and_the_console_stays_empty(
    address: str, tmp_path: Path
) -> None:
    elements, console = open_page(f"http://{address}/", tmp_path)
    assert console == []
    assert '<b id="state" class="state running">running</b>' in elements
    assert "events above" in elements.lower()
    assert "lose their time in queue" in elements
    assert "99.0 %" in elements  # in time
    assert (
        "page: on-time: burns 20 times faster than its budget allows, 25.0 % of it left" in elements
    )
    assert "<img" not in elements  # what somebody named is text


def test_nothing_sticks_out_on_a_phone(tmp_path: Path) -> None:
    status = eventful().status()
    status.show()
    (tmp_path / "api").mkdir()
    shown = {**status.show(), "slo": [BURNING, {**BURNING, "name": "a" * 60}]}
    (tmp_path / "api" / "status").write_text(json.dumps(shown))
    seen = visit({"dashboard": dashboard().html}, (PHONE, DESKTOP), tmp_path)
    assert seen.console == []
    assert [(look.width, look.wide, look.beyond) for look in seen.looks] == [
        (PHONE, PHONE, []),
        (DESKTOP, DESKTOP, []),
    ]
    assert {path.partition("?")[0] for path in seen.requested} == {
        "/probe.html", "/0.html", "/api/status",
    }  # fmt: skip
