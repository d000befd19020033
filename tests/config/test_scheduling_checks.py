"""Lanes, shed policies, batching and variants: what is read, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamproc.config import check
from streamproc.core import ConfigError, Duration
from streamproc.executors import ModelVariant, OnnxRuntime, Simulated
from streamproc.scheduling import (
    Batching,
    Conflate,
    Expired,
    Lane,
    Planner,
    SkipAhead,
    TailDrop,
    Utility,
)
from tests.config.conftest import Problems, Read

VARIANTS = """variants:
    - {name: small, path: small.onnx, quality: 0.9}
    - {name: full, path: model.onnx}
"""


def test_the_defaults_drop_early(read: Read) -> None:
    config = read().config
    assert config.lanes == ()
    assert config.batching == Batching(policy="early_drop", max_size=256)
    assert config.shed == (Expired(), Planner())


def test_lanes_are_read(read: Read, minimal: str) -> None:
    lane = "{name: top, when: \"symbol in ['BTC'] and price > 1\", priority: 0, share: 0.5, budget: 20ms}"
    assert read(minimal + f"lanes: [{lane}]\n").config.lanes == (
        Lane("top", "symbol in ['BTC'] and price > 1", 0, 0.5, Duration.parse("20ms")),
    )


def test_a_policy_is_a_name_or_a_mapping(read: Read, minimal: str) -> None:
    text = "shed: [expired, tail_drop: {max_queue: 7}, conflate:, utility: {value: price * 2}, skip_ahead]\n"
    assert read(minimal + text).config.shed == (
        Expired(), TailDrop(7), Conflate(), Utility("price * 2"), SkipAhead()
    )  # fmt: skip


def test_variants_stand_best_first_and_their_paths_start_from_the_file(
    read: Read, minimal: str, folder: Path
) -> None:
    (folder / "small.onnx").touch()
    model = read(minimal.replace("path: model.onnx\n", VARIANTS)).config.model
    assert model.ladder == (
        ModelVariant("full", str(folder / "model.onnx"), 1.0, OnnxRuntime()),
        ModelVariant("small", str(folder / "small.onnx"), 0.9, OnnxRuntime()),
    )


def test_a_variant_may_have_an_executor_of_its_own(read: Read, minimal: str) -> None:
    text = "executor: simulated\n  variants: [{name: a}, {name: b, quality: 0.5, executor: {simulated: {fixed: 1ms}}}]\n"
    full, small = read(minimal.replace("path: model.onnx\n", text)).config.model.ladder
    assert full.executor == Simulated()
    assert small.executor == Simulated(fixed=Duration.parse("1ms"))


REFUSED = [
    ("lanes: [{name: default, when: 'price > 1'}]", "lanes[0].name", "no other takes"),
    ("lanes: [{name: unknown, when: 'price > 1'}]", "lanes[0].name", "no other takes"),
    ("lanes: [{name: '', when: 'price > 1'}]", "lanes[0].name", "must have letters"),
    ("lanes: [{name: a, when: 'price > 1'}, {name: a, when: 'price > 2'}]", "lanes[1].name", "named before"),
    ("lanes: [{name: a, when: 'price > 1', share: 0.7}, {name: b, when: 'price > 2', share: 0.4}]", "lanes", "0.7 + 0.4 is 1.1"),
    ("lanes: [{name: a, when: 'price > 1', share: 1.1}]", "lanes[0].share", "must be from 0 to 1"),
    ("lanes: [{name: a, when: 'price > 1', budget: 0}]", "lanes[0].budget", "must be longer than 0"),
    ("lanes: [{name: a}]", "lanes[0].when", "is missing: which events are in it"),
    ("lanes: [{name: a, when: 'prise > 1'}]", "lanes[0].when", "did you mean price?"),
    ("lanes: [{name: a, when: 'price >'}]", "lanes[0].when", "is no expression"),
    ("lanes: [{name: a, when: 'price * 2'}]", "lanes[0].when", "must be a condition"),
    ("lanes: [{name: a, when: 'price > 1'}]\nordering: partition", "ordering", "write key or none"),
    ("batching: {cost: prise}", "batching.cost", "did you mean price?"),
    ("batching: {cost: price > 2}", "batching.cost", "must be a number"),
    ("batching: {cost: symbol}", "batching.cost", "is text"),
    ("batching: {max_queue_delay: 2ms}", "batching.max_queue_delay", "is for policy: fixed"),
    ("batching: {policy: tumbling}", "batching.policy", "must be one of early_drop"),
    ("shed: [tail_drop: {max_queue: 0}]", "shed[0].tail_drop.max_queue", "must be at least 1"),
    ("shed: [tail_drop: {max_queu: 1}]", "shed[0].tail_drop.max_queu", "did you mean max_queue?"),
    ("shed: [expired, expired]", "shed[1]", "is named twice"),
    ("shed: [utility]", "shed[0].utility.value", "is missing: what a decision in time is worth"),
    ("shed: [utility: {value: size * price}]", "shed[0].utility.value", "'size' is no field"),
    ("shed: [priority]", "shed[0]", "priority needs lanes"),
    ("shed: [skip_ahead]\nevent_time: {field: ts}", "shed[0]", "event_time without a field"),
    ("shed: [skip_ahead]\ndeadline: {from: arrival}", "shed[0]", "nothing is too old"),
    ("shed: [skip_ahead]\ndeadline: {latest: 1m}", "shed[0]", "remove deadline.latest"),
    ("shed: [skip_ahead]\ndeadline: {field: ts}", "shed[0]", "remove deadline.field"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "key", "words"), REFUSED)
def test_what_cannot_work_is_refused(
    problems: Problems, minimal: str, lines: str, key: str, words: str
) -> None:
    (found,) = problems(minimal + lines + "\n")
    assert found.key == key
    assert found.line in (13, 14)
    assert words in found.message


MODELS = [
    ("variants: []", "model.path", "is missing"),
    ("path: model.onnx\n  variants: [{name: a, path: model.onnx}]", "model.path", "must not stand beside variants"),
    ("variants: [{name: a}]", "model.variants[0].path", "is missing: name the ONNX file"),
    ("variants: [{name: a, path: gone.onnx}]", "model.variants[0].path", "there is no file"),
    ("variants: [{name: a, path: model.onnx, quality: 2}]", "model.variants[0].quality", "must be above 0"),
    ("variants: [{name: a, path: model.onnx}, {name: a, path: model.onnx}]", "model.variants[1].name", "named before"),
    ("variants: [{name: a, executor: {python: {callable: f}}}]", "model.variants[0].executor.python.callable", "package.module:name"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "key", "words"), MODELS)
def test_a_model_is_a_path_or_variants(
    problems: Problems, minimal: str, model: str, key: str, words: str
) -> None:
    (found,) = problems(minimal.replace("path: model.onnx", model))
    assert found.key == key
    assert words in found.message


def test_a_waiting_time_is_for_the_fixed_planner(read: Read, minimal: str) -> None:
    batching = read(minimal + "batching: {policy: fixed, max_queue_delay: 2ms}\n").config.batching
    assert batching.max_queue_delay == Duration.parse("2ms")


def test_policies_may_be_named_in_python(read: Read) -> None:
    config = read().config
    check(replace(config, shed=("expired", Planner())))
    with pytest.raises(ConfigError) as caught:
        check(replace(config, shed=("expird", "utility")))  # type: ignore[arg-type]
    assert [p.key for p in caught.value.problems] == ["shed[0]", "shed[1]"]
    assert "utility needs value: write Utility(value=...)" in str(caught.value)
