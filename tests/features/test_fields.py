"""Decoded fields as the model's inputs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from streamproc.core import Array, ConfigError, EventBatch, TensorSpec, object_column
from streamproc.features import FieldFeatures
from streamproc.features.inputs import fit

SHAPES: dict[str, tuple[int, ...]] = {"a": (), "b": (), "xs": (3,), "w": (2, 3)}


def events(**columns: Array) -> EventBatch:
    count = len(next(iter(columns.values())))
    for column in columns.values():
        column.setflags(write=False)
    zero = np.zeros(count, np.int64)
    none = object_column([None] * count)
    return EventBatch(*[zero] * 8, none, none, none, columns=columns)


def some() -> EventBatch:
    return events(
        a=np.array([1, 2], np.int8),
        b=np.array([0.5, 1.5]),
        xs=np.arange(6, dtype=np.float32).reshape(2, 3),
    )


def features(
    *fields: str, inputs: Sequence[TensorSpec] = (), names: Mapping[str, str] | None = None
) -> FieldFeatures:
    return FieldFeatures(fields, shapes=SHAPES, inputs=inputs, names=names or {})


def problems(*fields: str, inputs: Sequence[TensorSpec], **names: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        features(*fields, inputs=inputs, names=names)
    assert {problem.key for problem in raised.value.problems} == {"features"}
    return [problem.message for problem in raised.value.problems]


def test_one_input_gets_all_fields_side_by_side_in_their_order() -> None:
    made = features("b", "xs", "a", inputs=[TensorSpec("x", "float32", (5,))]).build(some())
    assert made.keys() == {"x"}
    assert made["x"].dtype == np.float32
    assert made["x"].tolist() == [[0.5, 0, 1, 2, 1], [1.5, 3, 4, 5, 2]]


def test_a_single_list_is_handed_over_as_it_is() -> None:
    batch = some()
    made = features("xs", inputs=[TensorSpec("x", "float32", (None,))]).build(batch)
    assert np.shares_memory(made["x"], batch["xs"])


def test_a_model_that_does_not_say_what_it_takes_gets_one_input() -> None:
    made = features("a", "b").build(some())
    assert made["input"].tolist() == [[1, 0.5], [2, 1.5]]


def test_several_inputs_get_the_fields_of_their_names() -> None:
    inputs = [TensorSpec("xs", "float64", (3,)), TensorSpec("side", "int64", (1,))]
    made = features("a", "xs", inputs=inputs, names={"side": "a"}).build(some())
    assert made["xs"].dtype == np.float64
    assert made["side"].dtype == np.int64
    assert made["side"].tolist() == [[1], [2]]


def test_a_model_that_takes_a_number_an_event() -> None:
    made = features("b", inputs=[TensorSpec("x", "float32", ())]).build(some())
    assert made["x"].tolist() == [0.5, 1.5]


def test_a_width_that_does_not_fit_is_told_with_both_numbers() -> None:
    assert problems("a", "xs", inputs=[TensorSpec("x", "float32", (5,))]) == [
        "a + xs make 4 numbers an event, but the model's input 'x' takes 5"
    ]
    assert problems("xs", inputs=[TensorSpec("x", "float32", (3, None))]) == [
        "xs make 3 numbers an event, but the model's input 'x' takes 3 x any number"
    ]
    assert problems("xs", inputs=[TensorSpec("x", "float32", ())]) == [
        "xs make 3 numbers an event, but the model's input 'x' takes one"
    ]


def test_all_inputs_that_do_not_fit_are_told_at_once() -> None:
    inputs = [TensorSpec(name, "float32", (2,)) for name in ("a", "xs", "c")]
    found = problems("a", "xs", inputs=inputs)
    assert len(found) == 3
    assert "a make 1 numbers an event, but the model's input 'a' takes 2" in found[0]
    assert "xs make 3 numbers an event, but the model's input 'xs' takes 2" in found[1]
    assert "the model's input 'c' has no field" in found[2]


def test_an_input_named_after_a_field_that_is_not_listed() -> None:
    inputs = [TensorSpec("a", "float32", (1,)), TensorSpec("side", "float32", (1,))]
    (found,) = problems("a", inputs=inputs, side="b")
    assert "the model's input 'side' has no field" in found
    assert "list 'b' here" in found


def test_an_array_is_handed_over_in_its_shape() -> None:
    made = features("w", inputs=[TensorSpec("x", "float32", (2, 3))])
    batch = events(w=np.zeros((4, 2, 3), np.float32))
    assert made.build(batch)["x"].shape == (4, 2, 3)
    assert problems("w", inputs=[TensorSpec("x", "float32", (6,))]) == [
        "w make 2 x 3 numbers an event, but the model's input 'x' takes 6"
    ]
    assert problems("w", "a", inputs=[TensorSpec("x", "float32", (7,))]) == [
        "w + a make arrays of several sizes an event, but the model's input 'x' takes 7"
    ]


def test_texts_are_an_input_of_their_own() -> None:
    takes = (TensorSpec("word", "object", (1,)), TensorSpec("x", "float32", (1,)))
    made = FieldFeatures(
        ("s", "b"),
        shapes={"s": (), "b": ()},
        texts={"s"},
        inputs=takes,
        names={"word": "s", "x": "b"},
    ).build(events(s=np.array(["up", "down"], np.object_), b=np.array([1.0, 2.0])))
    assert made["word"].tolist() == [["up"], ["down"]]
    assert made["word"].dtype == np.object_
    assert made["x"].dtype == np.float32


@pytest.mark.parametrize(
    ("fields", "inputs", "words"),
    [
        (("b", "s"), [TensorSpec("x", "float32", (2,))], "takes float32, s is a text"),
        (("b",), [TensorSpec("x", "object", (1,))], "takes texts, b is none"),
        (("b", "s"), [], "s is a text and b is not"),
    ],
)
def test_texts_and_numbers_are_told_apart(
    fields: tuple[str, ...], inputs: Sequence[TensorSpec], words: str
) -> None:
    shapes: dict[str, tuple[int, ...]] = {"s": (), "b": ()}
    with pytest.raises(ConfigError, match=words):
        FieldFeatures(fields, shapes=shapes, texts={"s"}, inputs=inputs, names={})


@pytest.mark.parametrize("wrong", [None, b"up", 5])
def test_what_is_no_text_is_not_made_one(wrong: object) -> None:
    takes = TensorSpec("word", "object", (1,))
    assert fit("word", np.array(["a", "b"]), takes, 2).tolist() == [["a"], ["b"]]
    with pytest.raises(ValueError, match=f"'word' hold {type(wrong).__name__}, the model takes"):
        fit("word", np.array(["a", wrong], np.object_), takes, 2)
