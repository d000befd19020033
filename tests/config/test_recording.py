"""Recording: what is read, what is refused, and what a recording keeps of the configuration."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from streamproc.config import load, parse, written
from streamproc.connectors.capture import Record, Redact
from streamproc.core import Size
from tests.config.conftest import Problems, Read

SECRET = "0123456789abcdef"
REDACT = "record: {path: r, redact: {secret: '${env:S}', keys: true, fields: [symbol]}}\n"


def test_it_is_off_by_default_and_needs_a_folder_only(read: Read, minimal: str) -> None:
    assert read().config.record is None
    record = read(minimal + "record: {path: recordings, rotate_size: 64MiB}\n").config.record
    assert record == Record("recordings", rotate_size=Size.parse("64MiB"))


def test_the_secret_comes_by_reference_and_is_not_shown(read: Read, minimal: str) -> None:
    loaded = read(minimal + REDACT, environ={"S": SECRET})
    assert loaded.config.record is not None
    assert loaded.config.record.redact == Redact(SECRET, keys=True, fields=("symbol",))
    assert SECRET not in repr(loaded.config)
    assert loaded.redact(f"a {SECRET} b") == "a *** b"


def test_pseudonyms_without_a_secret_are_refused(problems: Problems, minimal: str) -> None:
    (found,) = problems(minimal + "record:\n  path: r\n  redact:\n    keys: true\n")
    assert (found.key, found.line) == ("record.redact.secret", 15)
    assert "must have at least 16 characters" in found.message


def test_fields_of_values_that_are_no_json_are_refused(problems: Problems, minimal: str) -> None:
    """They could not be found in them, and would be recorded."""
    codec = '  json:\n    fields: {symbol: str, ts: int64, price: float64, f: "float32[16]"}'
    text = minimal.replace(codec, "  arrow: {}")
    assert text != minimal
    (found,) = problems(text + "record: {path: r, redact: {drop: [user]}}\n")
    assert (found.key, found.line) == ("record.redact.drop", 12)
    assert "needs the codec json" in found.message


def test_what_a_recording_keeps_makes_the_same_pipeline(read: Read, minimal: str) -> None:
    text = minimal + REDACT + (
        "key: symbol\nevent_time: {field: ts, unit: ms}\nshed: [expired, tail_drop: {max_queue: 7}]\n"
        "deadline: {budget: 20ms, from: arrival}\nlanes: [{name: a, when: price > 1}]\n"
        "features: {python: 'm:f', options: {n: 3}}\noutput: {labels: [a, b]}\n"
    )  # fmt: skip
    config = read(text, environ={"S": SECRET}).config
    kept = written(config)
    assert "record:" not in kept
    assert parse(kept, origin="kept", folder=Path()).config == replace(config, record=None)


def test_the_templates_are_kept_whole() -> None:
    for name in ("market", "sensor"):
        path = Path("streamproc/templates") / name / "pipeline.yaml"
        config = load(Path(__file__).parents[2] / path).config
        assert parse(written(config), origin="kept", folder=Path()).config == config


def test_secrets_of_connections_are_not_kept(read: Read, minimal: str) -> None:
    security = (
        "    security: {security_protocol: SASL_PLAINTEXT, sasl_mechanism: PLAIN, "
        "sasl_plain_username: u, sasl_plain_password: '${env:S}'}\n"
    )
    text = minimal.replace("    topics: [ticks]\n", "    topics: [ticks]\n" + security)
    kept = written(read(text, environ={"S": SECRET}).config)
    assert "sasl_plain_username: u" in kept
    assert SECRET not in kept


LOOKUP = """\
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float64, user: {path: who.id, type: str}}}}
features: [x, {lookup: {field: user, topic: profiles, fields: [limit]}}]
model: {path: model.onnx}
sink: {kafka: {topic: out}}
"""


@pytest.mark.parametrize(
    ("redact", "key", "words"),
    [
        (
            "drop: [limit]",
            "record.redact.drop",
            "limit leads to limit, which a lookup takes of profiles",
        ),
        ("fields: ['*']", "record.redact.fields", r"\* leads to limit"),
        ("keys: true", "record.redact.keys", "user, which is looked for among them, does not"),
        ("keys: true, fields: [user]", "record.redact.keys", "name it in fields"),
    ],
)
def test_what_a_replay_could_not_look_up_is_refused(
    problems: Problems, redact: str, key: str, words: str
) -> None:
    record = f"record: {{path: r, redact: {{secret: 0123456789abcdef, {redact}}}}}\n"
    (found, *_) = problems(LOOKUP + record)
    assert found.key == key
    assert re.search(words, found.message)


def test_a_hidden_field_and_hidden_keys_go_together(read: Read) -> None:
    for redact in ("keys: true, fields: [who.id]", "fields: [who]", "drop: [other]"):
        record = f"record: {{path: r, redact: {{secret: 0123456789abcdef, {redact}}}}}\n"
        assert read(LOOKUP + record).config.record is not None
