"""The whole way from a file to the objects."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import JsonCodec
from streamproc.config import PipelineConfig, load, parse
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import ConfigError, Duration
from streamproc.engine import Deadline, EventTime, Outcomes, Output, PythonFunction
from streamproc.executors import Model, OnnxRuntime, PythonModel, Simulated
from streamproc.scheduling import Batching, Expired
from streamproc.telemetry import Metrics, Telemetry
from tests.config.conftest import Read

CONTRACT = """\
name: direction
source:
  kafka: {bootstrap_servers: "localhost:9092", topics: [ticks], group_id: direction, auto_offset_reset: latest}
codec:
  json: {fields: {symbol: str, ts: int64, f: "float32[16]"}}
key: symbol
event_time: {field: ts, unit: ms}
deadline: {budget: 50ms, from: event_time}
late: publish
features: [f]
model:
  path: model.onnx
  executor: {onnxruntime: {providers: [CPUExecutionProvider], intra_op_threads: 1, concurrency: 1}}
output: {labels: [down, flat, up], scores: true}
lanes: []
batching: {policy: early_drop, max_size: 256}
shed: [expired]
sink:
  kafka: {topic: decisions}
outcomes: {dead_letter_topic: direction.dlq, shed_topic: null, ledger_topic: null}
delivery: at-least-once
ordering: key
telemetry:
  metrics: {listen: "127.0.0.1:9464"}
"""


def test_the_file_gives_the_objects_that_a_python_user_writes(read: Read, folder: Path) -> None:
    assert read(CONTRACT).config == PipelineConfig(
        name="direction",
        source=KafkaSource(topics=("ticks",), group_id="direction"),
        codec=JsonCodec(fields={"symbol": "str", "ts": "int64", "f": "float32[16]"}),
        key="symbol",
        event_time=EventTime(field="ts", unit="ms"),
        deadline=Deadline(budget=Duration.parse("50ms"), from_="event_time"),
        late="publish",
        features=("f",),
        model=Model(path=str(folder / "model.onnx"), executor=OnnxRuntime()),
        output=Output(labels=("down", "flat", "up"), scores=True),
        batching=Batching(max_size=256),
        shed=(Expired(),),
        sink=KafkaSink(topic="decisions"),
        outcomes=Outcomes(dead_letter_topic="direction.dlq"),
        telemetry=Telemetry(metrics=Metrics()),
    )


@pytest.mark.parametrize(
    ("text", "executor"),
    [
        ("simulated", Simulated()),
        ("{simulated: {fixed: 5ms}}", Simulated(fixed=Duration.parse("5ms"))),
        ("{simulated:}", Simulated()),
        ("{python: {callable: 'a.b:c'}}", PythonModel("a.b:c")),
    ],
)
def test_executors(read: Read, minimal: str, text: str, executor: object) -> None:
    text = minimal.replace("path: model.onnx", f"executor: {text}")
    assert read(text).config.model == Model(executor=executor)  # type: ignore[arg-type]


def test_functions_of_the_user(read: Read, minimal: str) -> None:
    text = minimal + "features: {python: 'm:f', options: {n: 5}}\noutput: {python: 'm:g'}\n"
    config = read(text).config
    assert config.features == PythonFunction("m:f", {"n": 5})
    assert config.output == PythonFunction("m:g")


def test_lines_are_known_afterwards(read: Read, minimal: str) -> None:
    loaded = read(minimal, overrides=["late=drop"])
    assert loaded.line("source.kafka.topics") == 4
    assert loaded.line("source.kafka.linger") == 3
    assert loaded.line("codec.json.fields.price") == 7
    assert loaded.line("late") is None
    problem = loaded.problem("model.path", "has no input x")
    assert str(problem) == "p.yaml:9: model.path: has no input x"


def test_a_problem_that_shows_later_is_at_its_entry_of_a_list(read: Read, minimal: str) -> None:
    variants = """\
  variants:
    - {name: a, path: model.onnx}
    - name: b
      path: model.onnx
      quality: 0.5
"""
    text = minimal.replace("  path: model.onnx\n", variants)
    problem = read(text).problem("model.variants[1].path", "wrong")
    assert problem.key == "model.variants[1].path"
    assert problem.line == text.splitlines().index("      path: model.onnx") + 1


def test_a_file_is_loaded_from_its_folder(
    folder: Path, minimal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "p.yaml"
    path.write_text("\ufeff" + minimal, encoding="utf-8")
    monkeypatch.setenv("STREAMPROC_LATE", "drop")
    loaded = load(path)
    assert (loaded.path, loaded.source_text, loaded.config.late) == (path, minimal, "drop")
    assert loaded.config.model.path == str(folder / "model.onnx")
    assert load(path, environ={}).config.late == "publish"


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"\xff\xff", "no UTF-8"), (b"x" * 300_000, "longer")]
)  # fmt: skip
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "p.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path, environ={})
    assert caught.value.problems[0].origin == str(path)


KEYS = st.sampled_from(
    [
        "name",
        "source",
        "sink",
        "kafka",
        "topics",
        "topic",
        "codec",
        "json",
        "fields",
        "model",
        "path",
        "executor",
        "simulated",
        "onnxruntime",
        "python",
        "callable",
        "deadline",
        "budget",
        "from",
        "skew",
        "features",
        "output",
        "labels",
        "scores",
        "batching",
        "max_size",
        "policy",
        "shed",
        "outcomes",
        "shed_topic",
        "delivery",
        "telemetry",
        "metrics",
        "listen",
        "security",
        "sasl_password",
        "group.id",
        "session.timeout.ms",
        "client",
        "event_time",
        "field",
        "unit",
        "slo",
        "lanes",
        "options",
        "x",
        "<<",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["direction", "5ms", "ticks", "a:b", "int64", "${env:A}", "${x}", "expired", ""])
    | st.text(max_size=8)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(KEYS, VALUES, max_size=6),
    st.lists(st.tuples(KEYS, KEYS, SCALARS).map(lambda t: f"{t[0]}.{t[1]}={t[2]}"), max_size=2),
)
def test_any_mapping_is_a_configuration_or_refused(
    changes: dict[str, object], overrides: list[str]
) -> None:
    base: dict[str, object] = yaml.safe_load(CONTRACT)
    try:
        loaded = parse(json.dumps(base | changes), overrides=overrides, environ={"A": "b"})
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either way is fine
    else:
        assert isinstance(loaded.config, PipelineConfig)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("ab:-[]{}&*!|>'\"# \n\t", max_size=60))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)
