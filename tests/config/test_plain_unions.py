"""Values that may be of several plain kinds are of the kind that stands in the file."""

from pathlib import Path

from streamproc.config import load
from streamproc.executors import OnnxRuntime

TEXT = """\
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
features: [x]
sink: {kafka: {topic: decisions}}
model:
  path: m.onnx
  executor:
    onnxruntime: {provider_options: {CPUExecutionProvider: {arena: true, path: /x, depth: 3}}}
"""


def test_options_of_a_provider_may_be_texts_and_numbers(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    (tmp_path / "m.onnx").touch()
    file.write_text(TEXT)
    executor = load(file).config.model.executor
    assert isinstance(executor, OnnxRuntime)
    options = executor.provider_options["CPUExecutionProvider"]
    assert options == {"arena": True, "path": "/x", "depth": 3}
    assert type(options["depth"]) is int
