"""The page as text: whole, self-contained, escaped. What a browser makes of it: tests/integration."""

import re
from xml.etree import ElementTree as ET

import pytest

from streamproc.reports import Run, render
from tests.reports import runs

PAGES = {name: run for name, run in runs.all_runs()}  # noqa: C416 - a copy that says what it is
_ALLOWED = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main", "section", "footer"),
    *("h1", "h2", "h3", "p", "span", "small", "b", "div", "ul", "li", "dl", "dt", "dd", "details"),
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "figure", "figcaption", "summary"),
    *("svg", "defs", "pattern", "rect", "path", "g", "desc"),
}  # fmt: skip


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return render(PAGES[request.param])


def tree(page: str) -> ET.Element:
    """The page is well-formed XML as well, so that a strict parser reads it."""
    return ET.fromstring(page.removeprefix("\n"))  # noqa: S314 - our own


def test_it_needs_nothing_else(page: str) -> None:
    assert page.startswith("<!DOCTYPE html>")
    root = tree(page)
    assert {element.tag for element in root.iter()} <= _ALLOWED
    loads = [
        (element.tag, name, value)
        for element in root.iter()
        for name, value in element.attrib.items()
        if name in ("src", "href", "srcset", "data", "action", "poster") or name.startswith("on")
    ]
    assert loads == [("link", "href", "data:,")]
    css = "".join(style.text or "" for style in root.iter("style"))
    css += "".join(element.get("style", "") for element in root.iter())
    assert not re.search(r"@import|url\((?!#)|https?:|//", css)


def test_its_policy_forbids_all_but_its_own_style(page: str) -> None:
    (policy,) = [m.get("content") for m in tree(page).iter("meta") if m.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_references_inside_lead_somewhere(page: str) -> None:
    root = tree(page)
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names))
    for element in root.iter():
        assert set((element.get("aria-labelledby") or "").split()) <= set(names)
    used = set(re.findall(r"url\(#([\w-]+)\)", page))
    assert used <= set(names)


def test_each_plot_has_its_numbers_beside_it(page: str) -> None:
    figures = list(tree(page).iter("figure"))
    for figure in figures:
        assert figure.find(".//svg[@role='img']/title") is not None
        assert figure.find("details//tbody/tr") is not None


def test_texts_are_escaped() -> None:
    page = render(runs.of_everything())
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8
    assert not set(page) & {chr(code) for code in range(32) if chr(code) not in "\t\n\r"}


def test_the_first_screen_answers() -> None:
    header = tree(render(runs.with_a_pause())).find(".//header")
    assert header is not None
    text = " ".join("".join(header.itertext()).split())
    for part in ("Not all in time", "were decided within 50 ms", "Of an event's time", "fell between", "What to do"):  # fmt: skip
        assert part in text
    assert [rect.get("class") for rect in header.iterfind("svg[@class='strip']/rect")] == [
        f"area {stage}" for stage in ("broker", "decode", "queue", "infer", "emit")
    ]


@pytest.mark.parametrize(("run", "kb_max"), [(runs.good(), 90), (runs.hours(), 320)])
def test_it_stays_small(run: Run, kb_max: int) -> None:
    assert len(render(run).encode()) <= kb_max * 1_000


def test_the_same_run_gives_the_same_page() -> None:
    assert render(runs.with_a_pause()) == render(runs.with_a_pause())


def test_an_empty_run_has_no_empty_plots() -> None:
    page = render(runs.failed_at_once())
    assert "<figure" not in page
    assert "Batches and backlog" not in page
