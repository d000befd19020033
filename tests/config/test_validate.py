"""Every class of error, with its line and key."""

import pytest

from tests.config.conftest import Problems

WRONG = [
    # replaced, by, line, key, words
    ("name: direction", "nam: direction", 1, "nam", "did you mean name?"),
    ("name: direction", "nam: direction", 1, "name", "is missing: the pipeline's name"),
    ("name: direction", "name: 5", 1, "name", "must be a text, was 5; put it in quotes"),
    ("    topics: [ticks]", "    topics: ticks", 4, "source.kafka.topics", "write [ticks]"),
    ("    topics: [ticks]", "    topics: [a, 5]", 4, "source.kafka.topics[1]", "must be a text"),
    ("    topics: [ticks]", "    topics: []", 4, "source.kafka.topics", "name at least one"),
    ("    topics: [ticks]", "    topcs: [a]", 4, "source.kafka.topcs", "did you mean topics?"),
    ("    topics: [ticks]", "    topcs: [a]", 3, "source.kafka.topics", "is missing: the topics"),
    ("  kafka:\n    topics: [ticks]", "  kafak: {}", 3, "source.kafak", "did you mean kafka?"),
    ("  kafka:\n    topics: [ticks]", "  {}", 2, "source", "must be a mapping with one of kafka"),
    (
        "  kafka:\n    topics: [ticks]",
        "  5",
        2,
        "source",
        "must be a mapping of kafka, capture, file, was 5",
    ),
    ("    topics: [ticks]", "    5", 3, "source.kafka", "must be a mapping of topics"),
]

ADDED = [
    # a further line 13, key, words
    ("deadline: {budget: 50}", "deadline.budget", "must be a duration such as 50ms"),
    ("deadline: {budget: 0}", "deadline.budget", "must be longer than 0"),
    ("deadline: {budget: 999999999999999d}", "deadline.budget", "below 2^63"),
    ("deadline: {from_: arrival}", "deadline.from_", "did you mean from?"),
    ("deadline: {from: arival}", "deadline.from", "did you mean arrival?"),
    (
        "deadline:",
        "deadline",
        "must be a mapping of budget, from, field, unit, latest, skew, max_future, was nothing (null)",
    ),
    ("batching: {max_size: abc}", "batching.max_size", "must be a whole number, was 'abc'"),
    ("batching: {max_size: 1.5}", "batching.max_size", "must be a whole number, was 1.5"),
    ("batching: {max_size: true}", "batching.max_size", "must be a whole number, was true"),
    ("batching: {max_size: 0}", "batching.max_size", "must be from 1 to 65536, was 0"),
    ("output: {scores: maybe}", "output.scores", "must be true or false, was 'maybe'"),
    ("output: {python: 'a:b', labels: [x]}", "output.labels", "unknown key"),
    ("features: 5", "features", "must be a list such as [a, b], was 5"),
    ("features: {pyton: 'a:b'}", "features.pyton", "did you mean python?"),
    ("late: yes", "late", "must be one of publish, drop, was 'yes'"),
    ("shed: [expird]", "shed[0]", "was 'expird'; did you mean expired?"),
    ("ordering: {}", "ordering", "must be one of none, key, partition, was a mapping"),
    ("telemetry: {metrics: {listen: x}}", "telemetry.metrics.listen", "must be host:port"),
    (
        "outcomes: []",
        "outcomes",
        "must be a mapping of dead_letter_topic, shed_topic, ledger_topic, was a list",
    ),
    ("outcome: {}", "outcome", "did you mean outcomes?"),
    ("serve: {listn: '127.0.0.1:1'}", "serve.listn", "did you mean listen?"),
    ("rollout: {canry: {share: 0.5}}", "rollout.canry", "did you mean canary?"),
    ("rollout: {canary: {shar: 0.5}}", "rollout.canary.shar", "did you mean share?"),
    ("reorder: {slak: 1s}", "reorder.slak", "did you mean slack?"),
    ("reorder: {}", "reorder.slack", "is missing: how"),
    ("state: {changelog: {topc: x}}", "state.changelog.topc", "did you mean topic?"),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "words"), WRONG)
def test_a_wrong_value_is_named_with_its_line(
    problems: Problems, minimal: str, old: str, new: str, line: int, key: str, words: str
) -> None:
    found = {p.key: p for p in problems(minimal.replace(old, new, 1))}
    assert words in found[key].message
    assert (found[key].origin, found[key].line) == ("p.yaml", line)


@pytest.mark.parametrize(("line", "key", "words"), ADDED)
def test_a_wrong_section_is_named_with_its_line(
    problems: Problems, minimal: str, line: str, key: str, words: str
) -> None:
    found = {p.key: p for p in problems(minimal + line + "\n")}[key]
    assert found.line == 13
    assert words in found.message


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_lines(
    problems: Problems, minimal: str
) -> None:
    text = minimal.replace("[ticks]", "[]\n    sesion_timeout: 5s") + "\n".join(
        ["batching: {max_size: 0, polcy: x}", "key: symbl", "deadline: {budget: x}", "lanse: 1"]
    )
    assert [(p.line, p.key) for p in problems(text)] == [
        (4, "source.kafka.topics"),
        (5, "source.kafka.sesion_timeout"),
        (14, "batching.max_size"),
        (14, "batching.polcy"),
        (15, "key"),
        (16, "deadline.budget"),
        (17, "lanse"),
    ]


def test_two_kinds_in_a_choice_are_refused(problems: Problems, minimal: str) -> None:
    text = minimal.replace("model.onnx", "model.onnx\n  executor: {onnxruntime: {}, simulated: {}}")
    (found,) = problems(text)
    assert (found.line, found.key) == (10, "model.executor")
    assert found.message.endswith("was onnxruntime and simulated")


def test_a_model_without_a_file_is_told_what_to_name(problems: Problems, minimal: str) -> None:
    (found,) = problems(minimal.replace("  path: model.onnx", "  inputs: {f: x}"))
    assert (found.line, found.key) == (8, "model.path")
    assert found.message.startswith("is missing")


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "5", "just words"])
def test_what_is_no_mapping_is_refused(problems: Problems, text: str) -> None:
    (found,) = problems(text)
    assert found.line == 1
    assert "a pipeline begins with name" in found.message
