from pathlib import Path

import pytest

from tests.config.conftest import Problems, Read


def test_arguments_stand_over_variables_and_those_over_the_file(read: Read) -> None:
    loaded = read(
        overrides=["source.kafka.topics=[c]", "deadline.budget=20ms"],
        environ={
            "STREAMPROC_SOURCE__KAFKA__TOPICS": "[b]",
            "STREAMPROC_DEADLINE__FROM": "arrival",
            "STREAMPROC_NAME": "other",
        },
    )
    assert loaded.config.source.topics == ("c",)
    assert loaded.config.deadline.budget == 20_000_000
    assert loaded.config.deadline.from_ == "arrival"
    assert loaded.config.name == "other"


def test_the_last_argument_wins(read: Read) -> None:
    assert read(overrides=["late=drop", "late=publish"]).config.late == "publish"


@pytest.mark.parametrize(
    "argument",
    [
        "source.kafka.group.id=g",
        "source.kafka.group_id=g",
        "source.kafka={topics: [a], group.id: g}",
    ],
)
def test_kafkas_names_are_ours_here_too(read: Read, minimal: str, argument: str) -> None:
    text = minimal.replace("[ticks]", "[ticks]\n    group.id: f")
    assert read(text, overrides=[argument]).config.source.group_id == "g"


def test_a_setting_that_belongs_deeper_gets_there(read: Read, folder: Path) -> None:
    (folder / "ca.pem").touch()
    source = read(
        overrides=[
            "source.kafka.security.protocol=SSL",
            "source.kafka.ssl.ca.location=ca.pem",
            "source.kafka.session.timeout.ms=6000",
        ],
        environ={"STREAMPROC_SOURCE__KAFKA__HEARTBEAT_INTERVAL_MS": "500"},
    ).config.source
    assert source.security == {
        "security_protocol": "SSL",
        "ssl_cafile": str(folder / "ca.pem"),
    }
    assert source.client == {"heartbeat_interval_ms": 500}
    assert source.session_timeout == 6_000_000_000


def test_positions_in_lists_and_names_with_dots(read: Read, minimal: str) -> None:
    loaded = read(
        minimal + "output: {labels: [a, b]}\n",
        overrides=["output.labels.1=c", "codec.json.fields.data.price=float64"],
        environ={"STREAMPROC_CODEC__JSON__FIELDS__SYMBOL": "int8"},
    )
    assert loaded.config.output.labels == ("a", "c")  # type: ignore[union-attr]
    assert loaded.config.codec.fields["data.price"] == "float64"
    assert loaded.config.codec.fields["symbol"] == "int8"


@pytest.mark.parametrize(
    "name", ["STREAMPROC_PORT", "STREAMPROC_SERVICE_HOST", "STREAMPROC_PORT_9464_TCP", "PATH"]
)
def test_variables_of_others_are_left_alone(read: Read, name: str) -> None:
    read(environ={name: "tcp://[10.0.0.1"})


@pytest.mark.parametrize(
    ("argument", "origin", "key", "words"),
    [
        ("nothing", "--set", "", "must be KEY=VALUE"),
        ("a..b=1", "--set", "", "must be KEY=VALUE"),
        (".".join("a" * 5000) + "=1", "--set " + ".".join("a" * 5000), "", "more than 32 parts"),
        ("late=[", "--set late", "late", "no valid YAML"),
        ("late=x", "--set late", "late", "must be one of publish, drop, was 'x'"),
        ("lat=x", "--set lat", "lat", "did you mean late?"),
        ("source.kafka.topics.7=x", "--set source.kafka.topics.7", "source.kafka.topics.7", "no position in this list of 1"),
        ("source.kafka.acks=1", "--set source.kafka.acks", "source.kafka.acks", "is not needed"),
        ("sink.kafka.topic=ticks", "--set sink.kafka.topic", "sink.kafka.topic", "source topic too"),
        ("model.path=x.onnx", "--set model.path", "model.path", "there is no file"),
        ("slo=[1]", "--set slo", "slo[0]", "must be a mapping"),
        ("name=${env:GONE}", "--set name", "name", "GONE is not set"),
        ("late.x=1", "--set late.x", "late", "must be one of publish, drop, was a mapping"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(
    problems: Problems, argument: str, origin: str, key: str, words: str
) -> None:
    (found,) = problems(overrides=[argument])
    assert (found.origin, found.line, found.key) == (origin, None, key)
    assert words in found.message


@pytest.mark.parametrize(
    ("name", "value", "key", "words"),
    [
        ("STREAMPROC_LATE", "x", "late", "must be one of publish, drop"),
        ("STREAMPROC_SORUCE__KAFKA", "{}", "soruce", "did you mean source?"),
        ("STREAMPROC_DEADLINE__BUDGET", "[", "deadline.budget", "no valid YAML"),
        ("STREAMPROC_SINK__KAFKA__TOPIC", "7", "sink.kafka.topic", "must be a text"),
    ],
)
def test_a_wrong_variable_is_named(
    problems: Problems, name: str, value: str, key: str, words: str
) -> None:
    (found,) = problems(environ={name: value})
    assert (found.origin, found.line, found.key) == (name, None, key)
    assert words in found.message
