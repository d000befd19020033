import json

from streamproc.codecs import JsonDecisionEncoder, Labelled
from streamproc.codecs.avro_decision import AvroDecisionEncoder
from streamproc.codecs.protobuf_decision import ProtobufDecisionEncoder
from streamproc.replay.diff.contents import compare
from streamproc.replay.diff.tolerances import Tolerances
from tests.codecs.test_arrow_decision import CHOICE, LABELS, MODEL, SCORES, encode, events

EXACT = Tolerances()


def value(output: object, *, key: str | None = "a", **more: object) -> bytes:
    return json.dumps({"id": "t/0/1", "key": key, "output": output, **more}).encode()


def test_times_outcome_and_model_are_no_content() -> None:
    old = value({"label": "up"}, decided_ns=1, outcome="on_time", model={"digest": "a"})
    new = value({"label": "up"}, decided_ns=2, outcome="late", model={"digest": "b"})
    found = compare(old, new, EXACT, label="label")
    assert not found.has_changed
    assert found.labels == ("up", "up")


def test_each_field_with_its_place_and_by_how_much() -> None:
    old = value({"label": "up", "scores": [0.1, 0.9]})
    new = value({"label": "down", "scores": [0.1, 0.5]})
    found = compare(old, new, EXACT, label="label")
    assert found.has_flipped
    label, score = found.fields
    assert (label.path, label.baseline, label.candidate, label.difference) == ("output.label", "up", "down", None)  # fmt: skip
    assert (score.path, score.place, score.difference) == ("output.scores", "output.scores[1]", 0.4)


def test_forms_of_decisions_are_compared_by_what_they_say() -> None:
    outputs = Labelled(LABELS, Labelled.texts_of(LABELS, scores=True), CHOICE, SCORES)
    (plain, *_), *framed = [
        encode(encoder, events(), outputs)
        for encoder in (
            JsonDecisionEncoder("p", MODEL),
            AvroDecisionEncoder("p", MODEL, 1),
            AvroDecisionEncoder("p", MODEL, 2),
            ProtobufDecisionEncoder("p", MODEL, 3),
        )
    ]
    for value, *others in framed:
        found = compare(plain, value, EXACT, label="label")
        assert (found.fields, found.labels) == ([], ("down", "down"))
        assert compare(value, others[0], EXACT, label="label").has_flipped
    broken = framed[0][0][:-3]
    assert compare(framed[0][0], broken, EXACT, label="label").fields[0].path == "value"


def test_within_the_tolerance_it_is_told_and_has_not_changed() -> None:
    found = compare(value([0.5]), value([0.5000001]), Tolerances.parse(["1e-6"]), label="label")
    assert [one.is_beyond for one in found.fields] == [False]
    assert not found.has_changed
    assert found.labels is None  # a list has no label


def test_a_field_that_is_not_there_and_a_list_of_another_length() -> None:
    found = compare(value({"a": 1}), value({"b": 1}), EXACT, label="label")
    assert [(one.path, one.baseline, one.candidate) for one in found.fields] == [
        ("output.a", 1, "(absent)"),
        ("output.b", "(absent)", 1),
    ]
    assert compare(value([1.0]), value([1.0, 2.0]), EXACT, label="").has_changed


def test_true_is_not_one() -> None:
    assert compare(value({"a": True}), value({"a": 1}), EXACT, label="").has_changed
    assert not compare(value({"a": 1}), value({"a": 1.0}), EXACT, label="").has_changed


def test_a_key_counts_and_a_label_may_stand_deeper_or_be_all() -> None:
    assert compare(value(1, key="a"), value(1, key=None), EXACT, label="").has_changed
    deep = compare(value({"a": {"b": "x"}}), value({"a": {"b": "y"}}), EXACT, label="a.b")
    assert deep.labels == ("x", "y")
    assert compare(value("x"), value("y"), EXACT, label="label").has_flipped


def test_what_is_no_decision_is_compared_as_bytes() -> None:
    assert compare(b"\xff1", b"\xff2", EXACT, label="").has_changed
    assert not compare(b"\xff1", b"\xff1", EXACT, label="").has_changed
