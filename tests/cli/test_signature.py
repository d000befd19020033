"""A signature that the configuration asks for, as ``check`` sees it."""

import shutil
from pathlib import Path

import pytest

from streamproc.config import load
from streamproc.core import ConfigError
from tests.cli.support import MARKET, streamproc
from tests.support.signing import Keys, sign


def test_a_model_must_be_signed_by_whom_the_file_names(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    shutil.copytree(MARKET.parent, folder)
    (tmp_path / "keys").mkdir()
    keys = Keys(tmp_path / "keys")
    key = "model.signature.public_key=../keys/ours.pub"
    check = ("check", "pipeline.yaml", "--offline", "--set", key)

    answer = streamproc(*check, cwd=folder)
    assert answer.code == 2
    assert answer.err.count("model.signature: the model is not signed: ") == 1
    assert "Traceback" not in answer.err
    sign(next(folder.rglob("*.onnx")), keys)
    answer = streamproc(*check, cwd=folder)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{}", "name either public_key or certificates"),
        ("{public_key: none.pub}", "model.signature.public_key: there is no file"),
        ("{certificates: [none.pem]}", "model.signature.certificates[0]: there is no file"),
        ("{public_key: pipeline.yaml, path: none.sig}", "model.signature.path: there is no file"),
    ],
)
def test_files_that_are_not_there_are_said_with_their_key(written: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(MARKET, overrides=[f"model.signature={written}"], environ={})
    assert words in str(raised.value)
