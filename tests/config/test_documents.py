from dataclasses import dataclass
from pathlib import Path

import pytest

from streamproc.config import read_document
from streamproc.core import ConfigError, Duration


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing.

    Attributes:
        name: its name.
        wait: how long.
    """

    name: str
    wait: Duration = Duration.parse("1ms")  # noqa: RUF009 - immutable


def read(tmp_path: Path, text: str) -> Thing:
    path = tmp_path / "thing.yaml"
    path.write_text(text)
    return read_document(path, Thing)


def test_it_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "name: a\nwait: 5ms\n") == Thing("a", Duration.parse("5ms"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nwhat: 1\n", r"thing.yaml:2: what: unknown key"),
        ("wait: 5ms\n", r"name: is missing: its name"),
        ("name: a\nwait: 5\n", r"thing.yaml:2: wait: must be a duration such as 50ms"),
        ("- a\n", r"is no mapping"),
        ("", r"is no mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, text)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read: No such file"):
        read_document(tmp_path / "none.yaml", Thing)


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"thing.yaml: cannot be read: it is no UTF-8 text"):
        read_document(tmp_path / "thing.yaml", Thing)
