"""Fixtures of all tests: a real Kafka broker, and topic names that no other test uses."""

from __future__ import annotations

import logging
import os
import re
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.kafka import KafkaBroker, why_unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

# CI looks at the same examples each time: a new one is for a developer to find, not for a merge to trip over.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

_BROKER = pytest.StashKey[KafkaBroker]()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses the broker, and keep it in one xdist worker (with ``--dist loadgroup``): one broker for all."""
    if "kafka" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.kafka)
    if item.get_closest_marker("kafka") and item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group("kafka"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without Java or the jars, skip what is marked ``kafka``; in CI that would hide a failure, so there it is one."""
    if item.get_closest_marker("kafka") and (lacking := why_unavailable()) is not None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{lacking} (with CI=true a broker is required)", pytrace=False)
        pytest.skip(lacking)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """Show the end of the broker's log with a failed test that used it."""
    report = yield
    broker = item.config.stash.get(_BROKER, None)
    if report.failed and broker is not None and item.get_closest_marker("kafka"):
        report.sections.append(("Kafka's log, its end", broker.log_tail() or "(empty)"))
    return report


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[KafkaBroker]:
    """One broker for the whole session. A test that stops or kills one starts its own ``KafkaBroker``."""
    with KafkaBroker() as broker:
        pytestconfig.stash[_BROKER] = broker
        yield broker
        del pytestconfig.stash[_BROKER]


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A name for this test's topic (and group); the test creates it. Add suffixes for more."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", request.node.name)[:80].strip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests that call a command in this process: it sets up logging and puts the project's folder on the path."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
