"""A signature that the configuration asks for, as ``check`` sees it."""

import shutil
from pathlib import Path

from tests.cli.support import MARKET, streamproc
from tests.support.signing import Keys, sign


def test_a_model_must_be_signed_by_whom_the_file_names(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    shutil.copytree(MARKET.parent, folder)
    (tmp_path / "keys").mkdir()
    keys = Keys(tmp_path / "keys")
    model = next(folder.rglob("*.onnx"))
    key = "model.signature.public_key=../keys/ours.pub"
    check = ("check", "pipeline.yaml", "--offline", "--set", key)

    answer = streamproc(*check, cwd=folder)
    assert answer.code == 2
    assert "model.signature: the model is not signed: " in answer.err
    sign(model, keys)
    answer = streamproc(*check, cwd=folder)
    assert answer.code == 0, answer.err
    sign(model, keys, "other")
    answer = streamproc(*check, cwd=folder)
    assert answer.code == 2
    assert answer.err.count("is no signature by") == 1
    assert "Traceback" not in answer.err

    wrong = ("--set", "model.signature.public_key=none.pub")
    answer = streamproc(*check[:3], *wrong, cwd=folder)
    assert answer.code == 2
    assert "model.signature.public_key: there is no file" in answer.err
    answer = streamproc(*check[:3], "--set", "model.signature={}", cwd=folder)
    assert "name either public_key or certificates" in answer.err
    answer = streamproc(*check[:3], "--set", "model.signature.certificates=[none.pem]", cwd=folder)
    assert "model.signature.certificates[0]: there is no file" in answer.err
