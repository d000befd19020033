from dataclasses import replace

import pytest

from streamproc.config import PipelineConfig, check
from streamproc.config.reference import words_for
from streamproc.core import ConfigError
from streamproc.engine import PythonFunction
from tests.config.conftest import Problems, Read

ADDED = [
    ("key: symbl", "key", "did you mean symbol?"),
    ("key: f", "key", "f is float32[16]"),
    ("key: price", "key", "price is float64"),
    ("event_time: {field: price}", "event_time.field", "must be a field that is a whole number"),
    ("event_time: {field: t}", "event_time.field", "is no field of codec.json.fields"),
    ("features: [f, g]", "features[1]", "'g' is no field"),
    ("features: [f, f]", "features[1]", "named 2 times"),
    ("features: {python: build}", "features.python", "package.module:name"),
    ("output: {python: 'a.b'}", "output.python", "package.module:name"),
    ("output: {labels: [up, down, up]}", "output.labels[2]", "named 2 times"),
    ("outcomes: {dead_letter_topic: ticks}", "outcomes.dead_letter_topic", "source topic too"),
    ("outcomes: {shed_topic: decisions}", "outcomes.shed_topic", "sink's topic too"),
    ("outcomes: {shed_topic: 'a b'}", "outcomes.shed_topic", "must be a topic's name"),
    ("outcomes: {shed_topic: ''}", "outcomes.shed_topic", "must be a topic's name"),
]

REPLACED = [
    ("name: direction", "name: a b", 1, "name", "letters"),
    ("[ticks]", "[ticks, a/b]", 4, "source.kafka.topics[1]", "topic's name"),
    ("[ticks]", "[ticks, ticks]", 4, "source.kafka.topics[1]", "named 2 times"),
    ("[ticks]", "[ticks, decisions]", 12, "sink.kafka.topic", "source topic too"),
    ("[ticks]", "[direction.dlq]", 12, "outcomes.dead_letter_topic", "source topic too"),
    ("topic: decisions", "topic: d\n    key: price", 13, "sink.kafka.key", "price is float64"),
    ("ts: int64", "ts: int65", 7, "codec.json.fields.ts", "is no field type"),
    ("path: model.onnx", "path: other.onnx", 9, "model.path", "there is no file"),
    ("path: model.onnx", f"path: {'x' * 300}", 9, "model.path", "there is no file"),
    ("path: model.onnx", "executor: {python: {callable: f}}", 9, "model.executor.python.callable", "package.module:name"),
    ("path: model.onnx", "isolation: true\n  executor: simulated", 9, "model.isolation", "nothing that could crash"),
    ("path: model.onnx", "path: model.onnx\n  inputs: {g: x}\nfeatures: [f]", 10, "model.inputs.g", "not among the features"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "key", "words"), ADDED)
def test_a_name_that_leads_nowhere_is_refused(
    problems: Problems, minimal: str, line: str, key: str, words: str
) -> None:
    (found,) = problems(minimal + line + "\n")
    assert (found.line, found.key) == (13, key)
    assert words in found.message


@pytest.mark.parametrize(("old", "new", "line", "key", "words"), REPLACED)
def test_parts_that_do_not_fit_are_refused(
    problems: Problems, minimal: str, old: str, new: str, line: int, key: str, words: str
) -> None:
    found = {p.key: p for p in problems(minimal.replace(old, new, 1))}[key]
    assert words in found.message
    if not key.startswith("outcomes"):  # a default has no line of its own
        assert found.line == line


def test_the_same_topic_on_another_cluster_is_fine(read: Read, minimal: str) -> None:
    read(minimal.replace("topic: decisions", "topic: ticks\n    bootstrap_servers: other:9092"))


def test_a_configuration_made_in_python_is_checked_alike(read: Read) -> None:
    config: PipelineConfig = read().config
    check(config)
    with pytest.raises(ConfigError, match=r"^key: 'x' is no field") as caught:
        check(replace(config, key="x", features=PythonFunction("nowhere")))
    assert [p.key for p in caught.value.problems] == ["key", "features.python"]


def test_types_have_names_for_people() -> None:
    assert words_for(str | None) == "text or null"
