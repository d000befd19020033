"""Fixtures of the command's tests."""

import pytest


@pytest.fixture
def wide(untouched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no line is broken, and ``untouched``."""
    monkeypatch.setenv("COLUMNS", "200")
