"""The front door: what is read, and what is refused, with its line."""

import pytest

from streamproc.core import Duration
from streamproc.web import Serve
from tests.config.conftest import Problems, Read


def test_it_is_closed_unless_it_is_asked_for(read: Read, minimal: str) -> None:
    assert read(minimal).config.serve is None
    assert read(minimal + "serve: {}\n").config.serve == Serve(listen="127.0.0.1:8000")
    text = 'serve: {listen: "[::1]:0", timeout: 20ms, max_rows: 8}\n'
    found = read(minimal + text).config.serve
    assert found == Serve(listen="[::1]:0", timeout=Duration.parse("20ms"), max_rows=8)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('serve: {listen: "0.0.0.0:8000"}', "serve.token", "can be reached from other machines"),
        ("serve: {token: short}", "serve.token", "at least 16 characters"),
        ("serve: {listen: here}", "serve.listen", "must be host:port"),
        ("serve: {max_rows: 0}", "serve.max_rows", "must be at least 1"),
        (
            "serve: {}\nrollout: {canary: {path: model.onnx}}",
            "serve",
            "which model of a rollout",
        ),
        ("serve: {}\nrecord: {path: out.mcap}", "serve", "a recording does not hold requests"),
    ],
)
def test_what_cannot_be(problems: Problems, minimal: str, text: str, key: str, words: str) -> None:
    (found,) = problems(minimal + text + "\n")
    assert found.key.startswith(key)
    assert words in found.message
    assert found.line is not None
