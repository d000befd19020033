"""The file of a report: refused at the start or written whole."""

from pathlib import Path

import pytest

from streamproc.core import ExternalError
from streamproc.reports import ReportFile


def test_it_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")
    file = ReportFile(path)
    assert path.read_text() == "old"
    file.write("new ✓")
    assert path.read_text(encoding="utf-8") == "new ✓"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target.html", tmp_path / "link.html"
    target.write_text("old")
    link.symlink_to(target)
    ReportFile(link).write("new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")


def test_a_place_where_nothing_can_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match=r"no report can be written to .*: No such file"):
        ReportFile(tmp_path / "missing" / "r.html")
    with pytest.raises(ExternalError, match="is no file: name one that the report may replace"):
        ReportFile(tmp_path)


def test_a_place_that_went_away_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = ReportFile(folder / "r.html")
    folder.rmdir()
    with pytest.raises(ExternalError, match="no report can be written"):
        file.write("page")
    assert list(tmp_path.iterdir()) == []
