"""Who signed a model: checked with a key or an authority of the configuration, whenever it is loaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamproc.core import ConfigError
from streamproc.executors import OnnxExecutor, OnnxRuntime, Rules, Signature, look_at
from tests.executors.conftest import MakeModel, linear
from tests.support.signing import Keys, sign

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def model(make_model: MakeModel) -> Path:
    return Path(make_model(linear("n")))


def by(keys: Keys, name: str = "ours.pub") -> Rules:
    return Rules(signature=Signature(public_key=str(keys.path(name))))


def said(model: Path, rules: Rules) -> str:
    with pytest.raises(ConfigError) as raised:
        look_at(str(model), rules)
    (problem,) = raised.value.problems
    assert problem.key == "model.signature"
    assert "\n" not in problem.message
    return problem.message


def test_a_model_that_is_signed_is_loaded(model: Path, keys: Keys) -> None:
    sign(model, keys)
    executor = OnnxExecutor(str(model), OnnxRuntime(), rules=by(keys))
    assert executor.info.digest == look_at(str(model), Rules()).digest
    (model.parent / "notes.txt").write_text("what is not signed and not the model's may lie there")
    look_at(str(model), by(keys))


def test_one_that_is_not_is_refused(model: Path, keys: Keys) -> None:
    assert "is not signed: " in said(model, by(keys))
    assert "No such file" in said(model, by(keys))
    look_at(str(model), Rules())


def test_another_key_is_refused(model: Path, keys: Keys) -> None:
    sign(model, keys, "other")
    assert "ours.pub: it is another's" in said(model, by(keys))


def test_a_file_that_has_changed_is_refused(model: Path, keys: Keys) -> None:
    sign(model, keys)
    model.write_bytes(model.read_bytes() + b"\n\x00")
    assert "is not what was signed" in said(model, by(keys))


def test_a_file_that_is_not_in_the_signature_is_refused(model: Path, keys: Keys) -> None:
    sign(model, keys)
    other = model.with_name("other.onnx")
    other.write_bytes(model.read_bytes())
    assert "other.onnx is not in the signature" in said(other, by(keys))
    look_at(str(model), by(keys))
    library = model.with_name("ops.so")
    library.write_bytes(b"code")
    rules = Rules(custom_ops=[str(library)], signature=by(keys).signature)
    assert "ops.so is not in the signature" in said(model, rules)


def test_another_file_that_was_signed_with_it_has_to_be_there(model: Path, keys: Keys) -> None:
    weights = model.with_name("tokens.txt")
    weights.write_text("a b c")
    sign(model, keys)
    look_at(str(model), by(keys))
    weights.write_text("a b d")
    assert "or another file that it is of has" in said(model, by(keys))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda _: "no JSON", "is no signature of model-signing 1.x"),
        (lambda _: "[" * 100_000, "is no signature of model-signing 1.x"),
        (lambda _: "{}", "is no signature of model-signing 1.x"),
        (lambda text: text.replace('"payload":"', '"payload":"e30=","ignored":"'), "is no signature"),
        (lambda text: text.replace('"dsseEnvelope"', '"dsse_envelope"'), "is no signature"),
        (lambda text: text.replace('"hint"', '"not"'), "made by an old version of model-signing"),
        (lambda text: text.replace('"sig":"M', '"sig":"N'), "it is another's, or has changed since"),
        (lambda _: " " * (16 << 20) + " ", "is longer than"),
    ],
    ids=["text", "deep", "empty", "payload", "alias", "no hint", "sig", "long"],
)  # fmt: skip
def test_what_is_no_signature_is_refused(
    model: Path, keys: Keys, spoil: Callable[[str], str], words: str
) -> None:
    path = sign(model, keys)
    text = path.read_text()
    path.write_text(spoil(text))
    assert path.read_text() != text
    assert words in said(model, by(keys))


def test_a_signature_may_be_elsewhere_above_the_model(model: Path, keys: Keys) -> None:
    path = sign(model, keys)
    inner = model.parent / "models"
    inner.mkdir()
    moved = inner / model.name
    model.rename(moved)
    named = Signature(public_key=str(keys.path("ours.pub")), path=str(path))
    assert "models/" in said(moved, Rules(signature=named))  # signed under another name
    sign(model, keys)
    look_at(str(moved), Rules(signature=named))


def test_certificates(model: Path, keys: Keys) -> None:
    keys.certify("root", "ours")
    sign(model, keys, certificate="root.pem")
    ours = Rules(signature=Signature(certificates=[str(keys.path("root.pem"))]))
    look_at(str(model), ours)
    keys.certify("stranger", "other")
    strangers = Rules(signature=Signature(certificates=[str(keys.path("stranger.pem"))]))
    assert "stranger.pem: it is another's" in said(model, strangers)
    sign(model, keys, "other", certificate="stranger.pem")
    assert "root.pem: it is another's" in said(model, ours)
    sign(model, keys)  # with a key, and without a certificate
    assert "root.pem: it is another's" in said(model, ours)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.pub", "cannot be used: No such file"),
        ("ours.key", "cannot be used: it is no public key"),
    ],
)
def test_a_key_that_is_none(model: Path, keys: Keys, name: str, words: str) -> None:
    sign(model, keys)
    assert words in said(model, by(keys, name))


def test_without_the_package_a_line_says_what_to_install(
    model: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(model, keys)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    assert "pip install 'streamproc[signing]'" in said(model, by(keys))


def test_one_of_key_and_certificates_is_needed() -> None:
    for wrong in ({}, {"public_key": "a", "certificates": ["b"]}):
        with pytest.raises(ValueError, match="name either public_key or certificates"):
            Signature(**wrong)
