"""The report of run and demo: what it knows, what it hides, and that it never costs the run."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamproc.cli import main
from streamproc.cli.demo_report import DEFAULT, demo_report
from streamproc.cli.report import Report
from streamproc.cli.report_facts import facts
from streamproc.config import LoadedConfig, load
from streamproc.core import ConfigError, ExternalError, ModelInfo
from streamproc.telemetry import Accounts, Gauges, Summary
from tests.cli.support import MARKET
from tests.reports.runs import decide

PASSWORD = "correct-horse"
SECURITY = (
    "source.kafka.security.security_protocol=SASL_SSL",
    "source.kafka.security.sasl_mechanism=PLAIN",
    "source.kafka.security.sasl_plain_username=direction",
    "source.kafka.security.sasl_plain_password=${env:KAFKA_PASSWORD}",
)


def loaded(*overrides: str) -> LoadedConfig:
    return load(MARKET, overrides=overrides, environ={"KAFKA_PASSWORD": PASSWORD})


class Service:
    """Has books that something happened in."""

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken
        self._accounts = Accounts(pipeline="direction", exact_bounds_ns=[50_000_000])

    def work(self) -> None:
        decide(self._accounts, np.random.default_rng(1), 40)

    def accounts(self) -> Accounts | None:
        return self._accounts

    def gauges(self) -> Gauges:
        return Gauges(queue_depth=1)

    def summary(self) -> Summary | None:
        return self._accounts.summary(2.0, 0.5)

    def models(self) -> Sequence[ModelInfo]:
        if self._broken:
            msg = f"cannot tell {PASSWORD}"
            raise RuntimeError(msg)
        return [ModelInfo("full", "sha256:0123", runs_on="CPUExecutionProvider")]


def fail(report: Report, text: str) -> None:
    with report.also_of_failures():
        raise ExternalError(text)


async def watch(report: Report, service: Service) -> None:
    report.begin(service)
    await asyncio.sleep(0)  # the first sample
    service.work()
    await report.end()
    await report.end()


async def test_what_happened_while_it_watched_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(tmp_path / "r.html", loaded())
    assert not report.is_done
    await watch(report, Service())
    report.write(notes=["A note."])
    page = (tmp_path / "r.html").read_text()
    for part in ("All 40 events were decided within 50 ms.", "A note.", "Outcomes over time", "2.0 s"):  # fmt: skip
        assert part in page
    assert report.is_done
    assert report.as_json() == {"report": str(tmp_path / "r.html")}
    assert "report: " in capsys.readouterr().err


async def test_a_run_that_fails_is_reported_too(tmp_path: Path) -> None:
    report = Report(tmp_path / "r.html", loaded(*SECURITY))
    await watch(report, Service())
    with pytest.raises(ExternalError):
        fail(report, f"the broker refuses {PASSWORD}")
    page = (tmp_path / "r.html").read_text()
    assert "It failed" in page
    assert "the broker refuses ***. Until then: All 40 events" in page
    assert PASSWORD not in page


def test_a_run_that_never_began_has_none(tmp_path: Path) -> None:
    report = Report(tmp_path / "r.html", loaded())
    with pytest.raises(ExternalError):
        fail(report, "no broker")
    report.write()
    assert list(tmp_path.iterdir()) == []


async def test_where_none_is_wanted_nothing_is_watched() -> None:
    report = Report(None, loaded())
    await watch(report, Service())
    report.write()
    assert report.is_done
    assert report.as_json() == {}


async def test_a_bug_of_the_report_is_a_line_and_hides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(tmp_path / "r.html", loaded(*SECURITY))
    await watch(report, Service(broken=True))
    with pytest.raises(ExternalError):
        fail(report, "gone")
    assert not report.is_done
    assert report.as_json() == {"report": None}
    assert "no report, for a bug: RuntimeError: cannot tell ***" in capsys.readouterr().err


async def test_a_folder_that_went_away_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    report = Report(folder / "r.html", loaded())
    await watch(report, Service())
    folder.rmdir()
    report.write()
    assert "no report can be written" in capsys.readouterr().err
    assert not report.is_done


def test_facts_are_enough_to_do_it_again() -> None:
    found = facts(
        loaded().config, [ModelInfo("full", "sha256:0123", runs_on="CPU")], ["run", "x y"]
    )
    assert found["Pipeline"]["writes"] == "decisions"
    assert found["Pipeline"]["deadline"] == "50ms from the event time"
    assert found["Model"]["variant full"] == "sha256:0123 on CPU"
    assert found["Command"]["streamproc"] == "run 'x y'"
    assert {"processor", "Python", "libraries"} <= found["Machine"].keys()
    simulated = loaded("model.executor={simulated: {fixed: 5ms, per_event: 80us}}")
    assert facts(simulated.config, [], [])["Model"]["executor"] == (
        "Simulated: fixed 5ms, per_event 80us"
    )


@pytest.mark.parametrize(
    "word",
    [
        f"source.kafka.security.sasl_plain_password={PASSWORD}",
        f"--set=source.kafka.security.sasl_plain_password={PASSWORD}",
        f"--set=source={{kafka: {{security: {{sasl_plain_password: {PASSWORD}}}}}}}",
        f"source.kafka.security.sasl_jaas={PASSWORD}",
    ],
)
def test_a_password_on_the_command_line_is_not_shown(word: str) -> None:
    shown = facts(loaded().config, [], ["run", "--set", word])["Command"]["streamproc"]
    assert PASSWORD not in shown
    assert "=***" in shown


async def test_no_secret_of_the_configuration_is_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["streamproc", "run", "--set", f"sink.kafka.topic=x{PASSWORD}"]
    )
    report = Report(tmp_path / "r.html", loaded(*SECURITY))
    await watch(report, Service())
    report.write()
    page = (tmp_path / "r.html").read_text()
    assert PASSWORD not in page
    assert "x***" in page


def test_a_place_that_cannot_be_written_is_one_line_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "r.html"
    assert main(["run", str(MARKET), "--report", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no report can be written to" in line
    assert line.endswith("No such file or directory")


def test_a_demo_goes_on_where_its_default_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    DEFAULT.mkdir()
    assert demo_report(None, loaded(), wanted=True).is_done
    assert "going on without (--report PATH names another)" in capsys.readouterr().err.replace("\n", " ")  # fmt: skip
    with pytest.raises(ExternalError):
        demo_report(DEFAULT, loaded(), wanted=True)


def test_a_demo_is_told_one_thing() -> None:
    with pytest.raises(
        ConfigError, match=r"--no-report and --report r\.html contradict each other"
    ):
        demo_report(Path("r.html"), loaded(), wanted=False)
