"""What is generated is current: the JSON Schema and the reference of the keys."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamproc.config import json_schema, load
from streamproc.config.reference import with_reference
from streamproc.config.schema import DIALECT
from streamproc.features import FEATURES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
RENEW = "run python -m streamproc.config"


def test_the_schema_in_the_repository_is_current() -> None:
    path = ROOT / "schemas" / "config.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json_schema(), RENEW


def test_the_reference_in_the_docs_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_reference(page) == page, RENEW


def objects(schema: object) -> Iterator[dict[str, object]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_schema_has_the_shape_of_the_file() -> None:
    schema = json_schema()
    assert schema["$schema"] == DIALECT
    assert schema["required"] == ["name", "source", "codec", "model", "sink"]
    assert all(section["additionalProperties"] is False for section in objects(schema))
    assert "from" in schema["$defs"]["Deadline"]["properties"]
    executor = schema["$defs"]["OnnxRuntimeOpenVinoPythonModelRemoteSimulatedChoice"]["anyOf"]
    assert executor[0] == {"enum": ["onnxruntime", "openvino", "python", "remote", "simulated"]}
    assert executor[1]["maxProperties"] == 1


def test_every_key_is_described() -> None:
    for section in objects(json_schema()):
        for key, entry in section["properties"].items():  # type: ignore[attr-defined]
            assert entry.get("description") or "Choice" in str(section) or "$ref" in entry, key


@pytest.mark.parametrize(
    ("text", "fits"), [("50ms", True), ("1.5s", True), ("0", True), ("50", False), ("ms", False)]
)
def test_durations_have_a_pattern(text: str, fits: bool) -> None:
    budget = json_schema()["$defs"]["Deadline"]["properties"]["budget"]
    assert (re.search(budget["pattern"], text) is not None) is fits


def test_the_decisions_schema_names_every_key() -> None:
    schema = json.loads((ROOT / "schemas" / "decision.schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == DIALECT
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["properties"]["outcome"]["enum"] == ["on_time", "degraded", "late"]


def test_the_example_of_the_docs_loads(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (example, *_) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "direction.onnx").touch()
    (tmp_path / "p.yaml").write_text(example, encoding="utf-8")
    assert load(tmp_path / "p.yaml", environ={}).config.name == "direction"


def test_the_python_of_the_docs_runs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(example, {})  # noqa: S102 - our own page


def test_every_operator_is_described_with_its_options() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in FEATURES if f"### `features.{name}`" not in page] == []
