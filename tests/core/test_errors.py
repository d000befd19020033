"""Errors: their text is what the user reads."""

import pytest

from streamproc.core import (
    ConfigError,
    ExternalError,
    InvariantError,
    Problem,
    Reason,
    RecordError,
    StreamprocError,
)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("is wrong"), "is wrong"),
        (Problem("is wrong", "a.b"), "a.b: is wrong"),
        (Problem("is wrong", "a.b", 3, "f.yaml"), "f.yaml:3: a.b: is wrong"),
        (Problem("is wrong", "a.b", None, "--set"), "--set: a.b: is wrong"),
        (Problem("is wrong", origin="f.yaml"), "f.yaml: is wrong"),
    ],
)
def test_a_problem_names_its_place_then_its_key(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_config_error_tells_all_problems_a_line_each() -> None:
    error = ConfigError("first", Problem("second", "key"))
    assert str(error) == "first\nkey: second"
    assert error.problems == (Problem("first"), Problem("second", "key"))


def test_a_record_error_keeps_its_reason_for_the_metric() -> None:
    error = RecordError(Reason.EMPTY, "the value is null")
    assert (error.reason, error.detail) == (Reason.EMPTY, "the value is null")
    assert str(error) == "empty: the value is null"


def test_an_external_error_is_final_unless_said_otherwise() -> None:
    assert not ExternalError("gone").retriable
    assert ExternalError("slow", retriable=True).retriable
    assert str(ExternalError("gone")) == "gone"


@pytest.mark.parametrize("kind", [ConfigError, ExternalError, InvariantError, RecordError])
def test_all_are_of_one_family(kind: type[Exception]) -> None:
    assert issubclass(kind, StreamprocError)
