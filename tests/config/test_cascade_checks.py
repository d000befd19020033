"""A cascade's variants and their order: what is read, and what is refused, with its line."""

import pytest

from streamproc.executors import Cascade
from tests.config.conftest import Problems, Read

MODEL = """variants:
    - {{name: full, path: model.onnx}}
    - {{name: half, path: model.onnx, quality: 0.95}}
    - {{name: small, path: model.onnx, quality: 0.9}}
  cascade: {{unsure: "margin < 0.2"{of}}}
"""


def model(of: str = "") -> str:
    return MODEL.format(of=f", of: {of}" if of else "")


def test_all_variants_are_its_stages_unless_some_are_named(read: Read, minimal: str) -> None:
    found = read(minimal.replace("path: model.onnx\n", model())).config.model
    assert found.cascade == Cascade("margin < 0.2")
    assert found.stages == (2, 1, 0)
    found = read(minimal.replace("path: model.onnx\n", model("[half, full]"))).config.model
    assert found.stages == (1, 0)


def test_without_one_there_are_no_stages(read: Read, minimal: str) -> None:
    assert read(minimal).config.model.stages == ()


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("[smal, full]", "'smal' is no variant of the model; did you mean small?"),
        ("[full]", "needs two variants at least, the cheapest first"),
        ("[small, half]", "must end with the best variant, full, was small, half"),
        ("[half, small, full]", "must go up in quality, small, half, full, was half, small, full"),
        ("[small, small, full]", "must go up in quality"),
    ],
)
def test_stages_that_cannot_be(problems: Problems, minimal: str, of: str, words: str) -> None:
    (found,) = problems(minimal.replace("path: model.onnx\n", model(of)))
    assert words in found.message
    assert found.key.startswith("model.cascade.of")
    assert found.line is not None


def test_one_variant_is_no_cascade(problems: Problems, minimal: str) -> None:
    text = "path: model.onnx\n  cascade: {unsure: top < 0.9}\n"
    (found,) = problems(minimal.replace("path: model.onnx\n", text))
    assert "needs variants" in found.message


def test_a_rollout_has_no_cascade(problems: Problems, minimal: str) -> None:
    text = (
        minimal.replace("path: model.onnx\n", model()) + "rollout: {canary: {path: model.onnx}}\n"
    )
    (found,) = problems(text)
    assert found.key == "model.cascade"
    assert "remove cascade, or rollout" in found.message
