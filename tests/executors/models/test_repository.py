"""A folder of models with versions, as Triton's."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import ConfigError
from streamproc.executors import Repository
from streamproc.executors.models.pbtxt import read_pbtxt

OF_TRITON = """
name: "direction"  # a comment
platform: 'onnxruntime_onnx'
max_batch_size: 0
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] } ]
output: [ { name: "y", data_type: TYPE_FP32, dims: [ 3 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
parameters { key: "a" value { string_value: "b" "c" } }
dynamic_batching < max_queue_delay_microseconds: 100 >
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three versions, a folder that is none, and a file."""
    folder = tmp_path / "direction"
    for version in ("1", "2", "10", "03", "notes"):
        (folder / version).mkdir(parents=True)
    (folder / "11").write_text("no folder")
    return tmp_path


def configured(repository: Path, text: str) -> None:
    (repository / "direction" / "config.pbtxt").write_text(text)


def version_of(repository: Path, version: int | str = "latest") -> str:
    file = Path(Repository(str(repository), "direction", version).file)  # type: ignore[arg-type]
    return str(file.relative_to(repository / "direction"))


def test_latest_is_the_highest_number_and_another_one_once_it_is_there(repository: Path) -> None:
    assert version_of(repository) == "10/model.onnx"
    (repository / "direction" / "12").mkdir()
    assert version_of(repository) == "12/model.onnx"
    assert version_of(repository, 2) == "2/model.onnx"


def test_a_triton_configuration_is_understood(repository: Path) -> None:
    configured(repository, OF_TRITON + 'default_model_filename: "net.onnx"')
    assert version_of(repository) == "10/net.onnx"


@pytest.mark.parametrize(
    ("policy", "latest"),
    [("all { }", "10"), ("latest { num_versions: 2 }", "10"), ("specific: { versions: [1, 2] }", "2")],
)  # fmt: skip
def test_the_version_policy_holds(repository: Path, policy: str, latest: str) -> None:
    configured(repository, f"version_policy: {{ {policy} }}")
    assert version_of(repository) == f"{latest}/model.onnx"


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        ("", 3, "has no version 3: there are 1, 2, 10"),
        ("version_policy { latest { num_versions: 1 } }", 2, "not served by config.pbtxt's"),
        ("version_policy { newest { } }", "latest", "none of latest, all and specific"),
        ('name: "other"', "latest", "is of 'other', and lies in the folder 'direction'"),
        ('platform: "ensemble"', "latest", "platform 'ensemble' is not run here"),
        ('backend: "python"', "latest", "backend 'python' is not run here"),
        ("ensemble_scheduling { step [ ] }", "latest", "an ensemble of other models"),
        ("sequence_batching { }", "latest", "which have a state"),
        ("name: }", "latest", "line 1: a value was expected, not '}'"),
        ("name: 'x'\n%", "latest", "line 2: '%' means nothing here"),
        ("input [", "latest", "a value was expected, not 'the end'"),
    ],
)
def test_what_is_not_done_here_is_refused(
    repository: Path, text: str, version: int | str, said: str
) -> None:
    configured(repository, text)
    with pytest.raises(ConfigError, match="direction") as caught:
        version_of(repository, version)
    assert said in str(caught.value)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        version_of(tmp_path)
    (tmp_path / "direction").mkdir()
    with pytest.raises(ConfigError, match="has no version: none of its folders"):
        version_of(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_is_that_of_a_folder(name: str) -> None:
    with pytest.raises(ValueError, match="name must be that of a folder"):
        Repository("models", name)


@settings(max_examples=200)
@given(st.text(alphabet="ab:{}[]<>,'\"# \n1-."))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        read_pbtxt(text)
