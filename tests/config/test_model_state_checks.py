"""A model's inputs that do not come from the events: what is refused, and where."""

from pathlib import Path

import pytest

from streamproc.config import load
from streamproc.core import ConfigError

BASE = """\
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
features: [x]
sink: {kafka: {topic: decisions}}
"""


def problems(tmp_path: Path, text: str) -> list[tuple[str | None, int | None, str]]:
    file = tmp_path / "p.yaml"
    (tmp_path / "m.onnx").touch()
    file.write_text(BASE + text)
    with pytest.raises(ConfigError) as raised:
        load(file)
    return [(p.key, p.line, p.message) for p in raised.value.problems]


STATE = "state: {inputs: {h: hN}, restore: none}"
RESETS = "state: {inputs: {h: hN}, remembers: 1s, on_gap: reset}"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("model: {path: m.onnx, state: {inputs: {h: hN}}}", "model.state.remembers", "is missing"),
        (
            "model: {path: m.onnx, state: {inputs: {}, restore: none}}",
            "model.state.inputs",
            "empty",
        ),
        (
            "model: {path: m.onnx, state: {inputs: {h: hN}, remembers: 1s, restore: none}}",
            "model.state.remembers",
            "must not stand beside restore",
        ),
        (
            "model: {path: m.onnx, state: {inputs: {h: hN, c: hN}, remembers: 1s}}",
            "model.state",
            "several inputs",
        ),
        (
            "model: {path: m.onnx, state: {inputs: {h: hN}, batch_axis: {c: 1}, remembers: 1s}}",
            "model.state.batch_axis",
            "not among the inputs",
        ),
        (
            "model: {path: m.onnx, state: {inputs: {h: hN}, remembers: 1s, max_keys: 0}}",
            "model.state.max_keys",
            "at least 1",
        ),
        (
            "model: {path: m.onnx, state: {inputs: {h: hN}, remembers: 1s, ttl: 0s}}",
            "model.state.ttl",
            "above 0",
        ),
        (
            f'model: {{executor: {{python: {{callable: "a:b"}}}}, {STATE}}}',
            "model.executor",
            "model.state is about an ONNX file",
        ),
        (
            'model: {executor: {remote: {url: "http://h:1/v2/models/m"}}, constants: {sr: 1}}',
            "model.executor",
            "model.constants is about an ONNX file",
        ),
        (
            f"model: {{executor: {{simulated: {{}}}}, {STATE}}}",
            "model.executor",
            "model.state is about an ONNX file",
        ),
        (f"model: {{path: m.onnx, {STATE}}}\nordering: partition", "ordering", "write key"),
        (
            f"model: {{path: m.onnx, {RESETS}}}\nstate: {{changelog: {{topic: t}}}}",
            "state.changelog",
            "has to be run over it",
        ),
        (
            f"model: {{path: m.onnx, {STATE}}}\nrollout: {{shadow: {{path: m.onnx}}}}",
            "rollout",
            "no other model is tried",
        ),
        (
            f"model: {{path: m.onnx, {STATE}, cascade: {{unsure: margin < 0.2}}}}",
            "model.cascade",
            "on another way",
        ),
        (
            f"model: {{path: m.onnx, {STATE}, stop_late: true}}",
            "model.stop_late",
            "without their next state",
        ),
        (
            f"model: {{path: m.onnx, {STATE}}}\nserve: {{listen: '127.0.0.1:0'}}",
            "serve",
            "no key whose state",
        ),
        (
            f"model: {{path: m.onnx, {STATE}}}\nreorder: {{slack: 1s}}",
            "reorder",
            "waits for its turn",
        ),
        (f"model: {{path: m.onnx, {STATE}}}\nshed: [conflate]", "shed[0]", "newest event"),
        (
            f"shed: [skip_ahead]\nmodel: {{path: m.onnx, {RESETS}}}",
            "shed[0]",
            "jumps over events",
        ),
        (
            f"model: {{path: m.onnx, constants: {{h: 1}}, {STATE}}}",
            "model.state.inputs.h",
            "stands in model.constants too",
        ),
        (
            "model: {path: m.onnx, constants: {x: 1}, inputs: {x: x}}",
            "model.constants.x",
            "stands in model.inputs too",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    (found,) = [problem for problem in problems(tmp_path, text) if words in problem[2]]
    assert found[0] == key
    assert found[1] is not None
    assert found[1] > len(BASE.splitlines())


def test_a_variant_that_cannot_carry_state_is_named(tmp_path: Path) -> None:
    text = f"""\
model:
  {STATE}
  variants:
    - {{name: full, path: m.onnx}}
    - {{name: far, executor: {{remote: {{url: "http://h:1/v2/models/m"}}}}}}
"""
    ((key, line, _),) = problems(tmp_path, text)
    assert (key, line) == ("model.variants[1].executor", 10)


@pytest.mark.parametrize(
    ("written", "value"),
    [("16000", 16000), ("0.5", 0.5), ("true", True), ("hey", "hey"), ("[1, 2.5]", (1, 2.5))],
)
def test_a_constant_is_what_it_is_in_the_file(tmp_path: Path, written: str, value: object) -> None:
    file = tmp_path / "p.yaml"
    (tmp_path / "m.onnx").touch()
    file.write_text(BASE + f"model: {{path: m.onnx, constants: {{sr: {written}}}}}")
    constant = load(file).config.model.constants["sr"]
    assert constant == value
    assert type(constant) is type(value)
