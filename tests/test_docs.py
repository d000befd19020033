"""What the pages in docs/ show: their pieces of configuration are ones, and their links lead somewhere."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamproc.config import PipelineConfig, parse
from streamproc.core import ConfigError

ROOT = Path(__file__).parents[1]
MARKET = ROOT / "streamproc" / "templates" / "market"
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("replay/*/README.md"), ROOT / "README.md"])
KEYS = {field.name for field in fields(PipelineConfig)}
NOT_HERE = re.compile(
    r"there is no file|cannot be read: No such file|is not set; set it|is no field|is no variant|deadline\.budget is 50ms"
)
"""What a piece leaves to the rest of its pipeline: files, secrets, fields, variants, a longer budget."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)


def pieces(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pieces of a pipeline's configuration on a page, as text and as what it says."""
    unfenced = _FENCED.sub("", text)
    blocks = [body for language, body in _FENCED.findall(text) if language == "yaml"]
    blocks += [re.sub(r"^    ", "", one, flags=re.MULTILINE) for one in _INDENTED.findall(unfenced)]
    for block in blocks:
        try:
            told = yaml.safe_load(block)
        except yaml.YAMLError:
            continue  # a command, or what it prints
        if isinstance(told, dict) and KEYS & told.keys():
            yield block, told


def scenario(told: dict[str, Any]) -> bool:
    """Whether it is a scenario, which has a few of the same keys (docs/diff.md)."""
    return "recording" in told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_piece_of_configuration_is_one(page: Path) -> None:
    base = yaml.safe_load((MARKET / "pipeline.yaml").read_text(encoding="utf-8"))
    for block, told in pieces(page.read_text(encoding="utf-8")):
        if scenario(told):
            continue
        text = yaml.safe_dump(base | told, sort_keys=False)
        try:
            parse(text, folder=MARKET)
        except ConfigError as error:
            wrong = [str(p) for p in error.problems if not NOT_HERE.search(p.message)]
            assert not wrong, f"{block}\n{wrong}"


def anchors(page: Path) -> set[str]:
    """The places of a page that links may name, as GitHub calls them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        other = page if not file else (page.parent / file).resolve()
        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other), target
