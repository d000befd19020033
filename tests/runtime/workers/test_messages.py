"""What a worker says reaches its parent as it was meant."""

import pickle

import pytest

from streamproc.core import ConfigError, ExternalError, InvariantError, Problem
from streamproc.runtime.workers.messages import Failed, Job
from tests.engine.pipelines import pipeline


def sent(failed: Failed) -> Failed:
    found = pickle.loads(pickle.dumps(failed))  # noqa: S301
    assert isinstance(found, Failed)
    return found


def test_a_configs_problems_keep_their_places() -> None:
    problems = (Problem("no such file", "model.path"), Problem("twice", line=3, origin="p.yaml"))
    error = sent(Failed.because(ConfigError(*problems))).error
    assert isinstance(error, ConfigError)
    assert error.problems == problems


@pytest.mark.parametrize("retriable", [True, False])
def test_whether_waiting_helps_is_kept(retriable: bool) -> None:
    failed = sent(Failed.because(ExternalError("no broker", retriable=retriable)))
    assert isinstance(failed.error, ExternalError)
    assert str(failed.error) == "no broker"
    assert failed.may_pass is retriable


def test_a_bug_stays_a_bug() -> None:
    failed = sent(Failed.because(InvariantError("1 is not 2")))
    assert isinstance(failed.error, InvariantError)
    assert not failed.may_pass


def test_what_cannot_be_pickled_is_told_in_words() -> None:
    class LocalError(Exception):
        pass

    failed = sent(Failed.because(LocalError("of the user's code")))
    assert isinstance(failed.error, RuntimeError)
    assert str(failed.error) == "LocalError: of the user's code"
    assert not failed.may_pass


def test_a_job_can_be_sent() -> None:
    job = Job(pipeline(), 3, 30)
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301
