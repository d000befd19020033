"""What a model's files must be before anything reads them as a model."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.external_data_helper import set_external_data

from streamproc.core import ConfigError, Size
from streamproc.executors import OnnxExecutor, OnnxRuntime, Rules, look_at, write_manifest
from streamproc.executors.models import MANIFEST_NAME
from tests.executors.conftest import BIAS, WEIGHTS, MakeModel, linear


def problems(call: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        call()
    return [(problem.key, problem.message) for problem in raised.value.problems]


def said(path: Path | str, rules: Rules | None = None) -> str:
    return "; ".join(text for _, text in problems(lambda: look_at(str(path), rules or Rules())))


@pytest.fixture
def divided(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a model whose weights are in a file beside it, under the name that is given."""

    def make(location: str) -> Path:
        model = onnx.helper.make_model(
            linear("n"), opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
        )
        weights = model.graph.initializer[0]
        raw = numpy_helper.to_array(weights).tobytes()
        weights.ClearField("float_data")
        weights.raw_data = raw
        set_external_data(weights, location, offset=0, length=len(raw))
        weights.ClearField("raw_data")
        (tmp_path / "weights.bin").write_bytes(raw)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


def test_a_file_alone_has_its_own_digest(make_model: MakeModel) -> None:
    path = make_model(linear("n"))
    files = look_at(path, Rules())
    sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert [(file.path, file.sha256) for file in files.files] == [(Path(path), sha256)]
    assert files.digest == f"sha256:{sha256[:12]}"


def test_the_digest_of_a_model_with_external_data_is_of_all_its_files(
    divided: Callable[[str], Path],
) -> None:
    path = divided("weights.bin")
    before = look_at(str(path), Rules())
    assert [file.path.name for file in before.files] == ["model.onnx", "weights.bin"]
    executor = OnnxExecutor(str(path), OnnxRuntime())
    x = np.ones((1, 3), np.float32)
    np.testing.assert_allclose(executor.run({"x": x})["y"], x @ WEIGHTS + BIAS, rtol=1e-6)
    assert executor.info.digest == before.digest
    (path.parent / "weights.bin").write_bytes(bytes(24))
    assert look_at(str(path), Rules()).digest != before.digest


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "a/../../b", "a\\b"])
def test_external_data_outside_of_the_folder_is_refused(
    divided: Callable[[str], Path], location: str
) -> None:
    assert "only files in its own folder are read" in said(divided(location))


def test_links_are_not_followed(divided: Callable[[str], Path], tmp_path: Path) -> None:
    path = divided("weights.bin")
    link = tmp_path / "link.onnx"
    link.symlink_to(path)
    assert "is a symbolic link: only regular files are read" in said(link)
    (tmp_path / "weights.bin").rename(tmp_path / "real.bin")
    (tmp_path / "weights.bin").symlink_to(tmp_path / "real.bin")
    assert "weights.bin is a symbolic link" in said(path)


def test_a_folder_that_is_a_link_is_not_followed(
    divided: Callable[[str], Path], tmp_path: Path
) -> None:
    path = divided("data/weights.bin")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "weights.bin").rename(tmp_path / "elsewhere" / "weights.bin")
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    assert "data is a link: links are not followed" in said(path)


def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "model.onnx"
    os.mkfifo(pipe)
    assert "is a device or the like" in said(pipe)
    assert "is a folder" in said(tmp_path)
    assert "cannot be read: No such file" in said(tmp_path / "none.onnx")


def test_pickles_are_refused_by_name_and_by_content(tmp_path: Path) -> None:
    named = tmp_path / "model.pt"
    named.write_bytes(b"whatever")
    assert "is a .pt file: loading it could run any code" in said(named)
    for content in (pickle.dumps([1]), b"PK\x03\x04 and so on"):
        disguised = tmp_path / "model.onnx"
        disguised.write_bytes(content)
        assert "could run any code, so only ONNX is read" in said(disguised)


def test_a_cap_counts_all_files_together(divided: Callable[[str], Path]) -> None:
    path = divided("weights.bin")
    size = path.stat().st_size
    assert "larger than model.max_bytes" in said(path, Rules(max_bytes=Size(size)))
    look_at(str(path), Rules(max_bytes=Size(size + 24)))


def test_half_a_model_is_no_model(make_model: MakeModel) -> None:
    path = Path(make_model(linear("n")))
    content = path.read_bytes()
    for cut in (0, 1, len(content) // 2, len(content) - 20):
        path.write_bytes(content[:cut])
        assert "is no model that works here" in said(path)


def test_a_library_that_is_allowed_is_loaded_and_has_to_be_one(
    make_model: MakeModel, tmp_path: Path
) -> None:
    library = tmp_path / "ops.so"
    library.write_bytes(b"no library")
    rules = Rules(custom_ops=[str(library)])
    path = make_model(linear("n"))
    assert look_at(path, rules).libraries == (library,)
    ((key, text),) = problems(lambda: OnnxExecutor(path, OnnxRuntime(), rules=rules))
    assert key == "model.custom_ops[0]"
    assert "is no library of operators that works here" in text


# -- the manifest -------------------------------------------------------------------------------------


def manifest_of(path: Path, out: Path) -> Path:
    found = look_at(str(path), Rules(), compare=False).files
    write_manifest(out, {file.path: (file.size, file.sha256) for file in found})
    return out


def test_a_manifest_is_kept_to(divided: Callable[[str], Path], tmp_path: Path) -> None:
    path = divided("weights.bin")
    manifest = manifest_of(path, tmp_path / MANIFEST_NAME)
    assert json.loads(manifest.read_text())["files"].keys() == {"model.onnx", "weights.bin"}
    look_at(str(path), Rules())
    look_at(str(path), Rules(manifest=str(manifest)))
    (tmp_path / "weights.bin").write_bytes(bytes(24))
    assert "weights.bin is not what the manifest" in said(path)
    (tmp_path / "weights.bin").write_bytes(bytes(25))
    assert "weights.bin has 25 bytes, the manifest" in said(path)


def test_a_manifest_that_is_named_has_to_be_there_and_may_be_elsewhere(
    divided: Callable[[str], Path], tmp_path: Path
) -> None:
    path = divided("weights.bin")
    (tmp_path / "signed").mkdir()
    elsewhere = tmp_path / "signed" / "m.json"
    ((key, text),) = problems(lambda: look_at(str(path), Rules(manifest=str(elsewhere))))
    assert (key, "cannot be read: No such file" in text) == ("model.manifest", True)
    look_at(str(path), Rules(manifest=str(manifest_of(path, elsewhere))))
    path.rename(path.with_name("other.onnx"))
    other = path.with_name("other.onnx")
    assert "other.onnx is not in the manifest" in said(other, Rules(manifest=str(elsewhere)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no manifest"),
        ('{"schema_version": 2, "files": {}}', "has schema_version 2"),
        ('{"schema_version": 1, "files": {}, "x": 1}', "is no manifest"),
        ('{"schema_version": 1, "files": {}}', "model.onnx is not in the manifest"),
        (" " * (1 << 20) + " ", "is longer than"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    make_model: MakeModel, content: str, words: str
) -> None:
    path = Path(make_model(linear("n")))
    (path.parent / MANIFEST_NAME).write_text(content)
    assert words in said(path)
