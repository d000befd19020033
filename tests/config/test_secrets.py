"""No way out for a secret: messages, ``repr`` and the later problems of a loaded file."""

import pickle
from pathlib import Path

import pytest

from streamproc.config import Secret
from streamproc.config.secrets import FILE_BYTES_MAX, redact
from tests.config.conftest import Problems, Read

PLANTED = "hunter2-hunter2"
ENVIRON = {"PLANTED": PLANTED}
LOGIN = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "u"}
LOGINS = {
    f"STREAMPROC_{end}__KAFKA__{name.upper()}": value
    for name, value in LOGIN.items()
    for end in ("SOURCE", "SINK")
}
SETTINGS = ", ".join(f"{name}: {value}" for name, value in LOGIN.items())


def with_security(minimal: str, value: str) -> str:
    security = f"{{{SETTINGS}, sasl_plain_password: '{value}'}}"
    return minimal.replace("[ticks]", f"[ticks]\n    security: {security}")


@pytest.mark.parametrize("value", ["${env:PLANTED}", "${file:planted}", PLANTED])
def test_a_password_gets_to_the_client_and_not_into_repr(
    read: Read, minimal: str, folder: Path, value: str
) -> None:
    (folder / "planted").write_text(PLANTED + "\n", encoding="utf-8")
    loaded = read(with_security(minimal, value), environ=ENVIRON)
    assert loaded.config.source.security == {**LOGIN, "sasl_plain_password": PLANTED}
    assert PLANTED not in repr(loaded) + repr(loaded.config) + repr(loaded.root)
    assert loaded.redact(f"broker says {PLANTED}") == "broker says ***"
    assert PLANTED not in str(loaded.problem("source.kafka", f"refused {PLANTED}"))


def test_passwords_from_outside_are_hidden_as_well(read: Read) -> None:
    loaded = read(
        overrides=[
            f"sink.kafka.sasl_plain_password={PLANTED}",
        ],
        environ={**LOGINS, "STREAMPROC_SOURCE__KAFKA__SASL_PLAIN_PASSWORD": "012345"},
    )
    assert loaded.config.sink.security == {**LOGIN, "sasl_plain_password": PLANTED}
    assert loaded.config.source.security == {**LOGIN, "sasl_plain_password": "012345"}
    assert not {PLANTED, "012345"} & set(repr(loaded).replace("'", " ").split())


@pytest.mark.parametrize(
    ("text", "password"),
    [("a: b #c", "a: b #c"), ("*a", "*a"), ("'a #b'", "a #b"), ("null", "null")],
)
def test_a_password_from_outside_is_taken_as_it_is(read: Read, text: str, password: str) -> None:
    name = "STREAMPROC_SINK__KAFKA__SASL_PLAIN_PASSWORD"
    loaded = read(overrides=[f"source.kafka.sasl.password={text}"], environ={**LOGINS, name: text})
    assert loaded.config.source.security == {**LOGIN, "sasl_plain_password": password}
    assert loaded.config.sink.security == {**LOGIN, "sasl_plain_password": password}


def test_a_loaded_file_travels_to_other_processes(read: Read, minimal: str) -> None:
    loaded = read(with_security(minimal, PLANTED))
    there = pickle.loads(pickle.dumps(loaded))  # noqa: S301 - our own
    assert there.config == loaded.config
    assert PLANTED not in repr(there)


def test_a_reference_inside_a_text_and_a_plain_one(read: Read, minimal: str) -> None:
    text = with_security(minimal, "a-${env:PLANTED}-$${env:b}")
    password = read(text, environ=ENVIRON).config.source.security["sasl_plain_password"]
    assert password == f"a-{PLANTED}-${{env:b}}"


def test_numbers_and_flags_may_come_from_variables(read: Read, minimal: str) -> None:
    text = minimal + "batching: {max_size: '${env:N}'}\noutput: {scores: '${env:S}'}\n"
    config = read(text, environ={"N": "32", "S": "true"}).config
    assert config.batching.max_size == 32
    assert config.output.scores is True  # type: ignore[union-attr]


def test_published_names_are_plain_texts(read: Read, minimal: str) -> None:
    loaded = read(minimal.replace("direction", "${env:N}"), environ={"N": "other"})
    assert type(loaded.config.name) is str
    assert loaded.redact("other") == "other"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("${env:GONE}", "variable GONE is not set"),
        ("${file:gone}", "cannot be read: No such file"),
        ("${file:.}", "cannot be read: Is a directory"),
        ("${file:binary}", "no UTF-8"),
        ("${file:huge}", "longer than"),
        ("${HOME}", "write ${env:HOME}"),
        ("${vault:x}", "is not known"),
        ("${}", "is not known"),
    ],
)
def test_a_reference_that_leads_nowhere(
    problems: Problems, minimal: str, folder: Path, value: str, words: str
) -> None:
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    (folder / "huge").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    (found,) = problems(with_security(minimal, value), environ=ENVIRON)
    assert (found.line, found.key) == (5, "source.kafka.security.sasl_plain_password")
    assert words in found.message


@pytest.mark.parametrize(
    "line",
    [
        "key: '${env:PLANTED}'",
        "late: '${env:PLANTED}'",
        "ordering: '${env:PLANTED}'",
        "deadline: {budget: '${env:PLANTED}'}",
        "deadline: '${env:PLANTED}'",
        "batching: {max_size: '${env:PLANTED}'}",
        "batching: {policy: '${env:PLANTED}'}",
        "output: {scores: '${env:PLANTED}'}",
        "output: {python: '${env:PLANTED}'}",
        "features: '${env:PLANTED}'",
        "features: ['${env:PLANTED}']",
        "features: {python: '${env:PLANTED}'}",
        "shed: ['${env:PLANTED}']",
        "event_time: {field: '${env:PLANTED}'}",
        "telemetry: {metrics: {listen: '${env:PLANTED}'}}",
        "telemetry: {metrics: '${env:PLANTED}'}",
        "model: {path: '${env:PLANTED}'}",
        "model: {executor: '${env:PLANTED}'}",
        "model: {path: model.onnx, executor: {python: {callable: '${env:PLANTED}'}}}",
        "model: {path: model.onnx, inputs: {f: 'x', '${env:PLANTED}': ['${env:PLANTED}']}}",
        "codec: {json: {fields: {x: '${env:PLANTED}'}}}",
        "sink: {kafka: {topic: t, compression: '${env:PLANTED}'}}",
        "sink: {kafka: {topic: t, key: '${env:PLANTED}'}}",
        "sink: {kafka: {topic: t, linger: '${env:PLANTED}'}}",
        "sink: {kafka: {topic: t, linger.ms: '${env:PLANTED}'}}",
        "sink: {kafka: {topic: t, security: '${env:PLANTED}'}}",
        "sink: '${env:PLANTED}'",
        "sink: {kafka: '${env:PLANTED}'}",
        "unknown: '${env:PLANTED}'",
        "slo: '${env:PLANTED}'",
        "delivery: '${env:PLANTED}'",
        "sink: {kafka: {topic: t, security: {sasl_plain_password: [hunter2-hunter2]}}}",
        "sink: {kafka: {topic: t, sasl_plain_password: {hunter2-hunter2: 1}}}",
    ],
)
def test_no_message_shows_a_secret(problems: Problems, minimal: str, line: str) -> None:
    key = line.partition(":")[0]
    blocks = [b for b in minimal.replace("\n ", "\0 ").splitlines() if b.partition(":")[0] != key]
    text = "\n".join([*blocks, line]).replace("\0", "\n")
    found = problems(text, environ=ENVIRON)
    assert PLANTED not in repr(found) + "".join(map(str, found))


@pytest.mark.parametrize(
    "argument",
    [PLANTED, f"source.kafka.security=*{PLANTED}", f"source.kafka.client=[{PLANTED}"],
)  # fmt: skip
def test_no_message_repeats_a_broken_argument(problems: Problems, argument: str) -> None:
    assert PLANTED not in "".join(map(str, problems(overrides=[argument])))


def test_an_unquoted_reference_in_braces_is_explained(problems: Problems, minimal: str) -> None:
    (found,) = problems(minimal + "output: {tensor: ${env:PLANTED}}\n")
    assert found.line == 13
    assert found.message.endswith("put ${...} in quotes")


def test_longer_secrets_are_hidden_first() -> None:
    assert redact("abcdef abcd", frozenset({"abcd", "abcdef"})) == "*** ***"


def test_a_secret_is_a_text() -> None:
    text = Secret("open sesame")
    assert text == "open sesame"
    assert f"{text!r} {[text]}" == "'***' ['***']"
    assert text.encode() == b"open sesame"
