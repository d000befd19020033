"""A folder with a model file, and the file of a small pipeline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamproc.config import LoadedConfig, parse
from streamproc.core import ConfigError, Problem

MINIMAL = """\
name: direction
source:
  kafka:
    topics: [ticks]
codec:
  json:
    fields: {symbol: str, ts: int64, price: float64, f: "float32[16]"}
model:
  path: model.onnx
sink:
  kafka:
    topic: decisions
"""

Problems = Callable[..., tuple[Problem, ...]]
Read = Callable[..., LoadedConfig]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").touch()
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Read:
    def parsed(text: str = MINIMAL, **settings: object) -> LoadedConfig:
        return parse(text, origin="p.yaml", folder=folder, **settings)  # type: ignore[arg-type]

    return parsed


@pytest.fixture
def problems(read: Read) -> Problems:
    """What is wrong with a text, in the order of its lines."""

    def found(text: str = MINIMAL, **settings: object) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            read(text, **settings)
        return caught.value.problems

    return found


@pytest.fixture
def minimal() -> str:
    return MINIMAL
