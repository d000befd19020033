from pathlib import Path

import pytest

from streamproc.codecs import AvroCodec, AvroDecisions, Field, JsonCodec, ProtobufDecisions
from streamproc.config.secrets import Secret
from tests.config.conftest import Problems, Read

JSON = 'json:\n    fields: {symbol: str, ts: int64, price: float64, f: "float32[16]"}'
FIELDS = '{symbol: str, ts: int64, price: {path: trade.px, type: float64}, f: "float32[16]"}'


def codec(minimal: str, text: str) -> str:
    assert JSON in minimal
    return minimal.replace(JSON, text.replace("FIELDS", FIELDS))


def test_fields_may_name_their_place(read: Read, minimal: str) -> None:
    found = read(codec(minimal, "json: {fields: FIELDS}")).config.codec
    assert isinstance(found, JsonCodec)
    assert found.fields["price"] == Field("float64", "trade.px")


def test_a_registry_with_its_secrets(read: Read, minimal: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("PASSWORD", "hunter2222")
    text = "avro: {fields: FIELDS, registry: {url: 'https://r:8081', security: {username: u, password: hunter2222}}}"
    loaded = read(codec(minimal, text))
    found = loaded.config.codec
    assert isinstance(found, AvroCodec)
    assert found.registry is not None
    assert isinstance(found.registry.security["password"], Secret)
    assert "hunter2222" in loaded.secrets


def test_a_schemas_file_starts_from_the_configurations_folder(
    read: Read, problems: Problems, minimal: str
) -> None:
    text = codec(minimal, "avro: {fields: FIELDS, schema: tick.avsc}")
    (found,) = problems(text)
    assert found.key == "codec.avro.schema"
    assert "there is no file" in found.message


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("avro: {fields: FIELDS}", "codec.avro.schema", "is missing"),
        ("avro: {registry: {url: 'http://x'}, fields: {}}", "codec.avro.fields", "is empty"),
        ("protobuf: {fields: FIELDS}", "codec.protobuf.descriptor", "is missing"),
        ("json_schema: {fields: FIELDS, validate: true}", "codec.json_schema.registry", "is missing"),
        ("avro: {fields: FIELDS, registry: {url: nowhere}}", "codec.avro.registry.url", "http://HOST"),
        (
            "avro: {fields: FIELDS, registry: {url: 'https://x', security: {username: u}}}",
            "codec.avro.registry.security.password",
            "belong together",
        ),
        (
            "avro: {fields: {symbol: {path: a, type: text}}, registry: {url: 'http://x'}}",
            "codec.avro.fields.symbol",
            "no field type",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(
    problems: Problems, minimal: str, text: str, key: str, words: str
) -> None:
    found = [one for one in problems(codec(minimal, text)) if one.key == key]
    assert [words in one.message for one in found] == [True]
    assert found[0].line is not None


def test_one_way_to_a_protobuf_schema(problems: Problems, minimal: str, tmp_path: Path) -> None:
    file = tmp_path / "a.proto"
    file.write_text('syntax = "proto3";')
    text = f"protobuf: {{fields: FIELDS, proto: {file}, registry: {{url: 'http://x'}}}}"
    keys = {one.key: one.message for one in problems(codec(minimal, text))}
    assert "one too many" in keys["codec.protobuf.proto"]
    assert "which message" in keys["codec.protobuf.message"]


@pytest.mark.parametrize("name", ["avro", "protobuf"])
def test_the_registry_of_decisions(read: Read, problems: Problems, minimal: str, name: str) -> None:
    registry = "registry: {url: 'https://r:8081', security: {bearer_token: hunter2222}}"
    loaded = read(f"{minimal}\ndecisions: {{{name}: {{{registry}}}}}\n")
    found = loaded.config.decisions
    assert isinstance(found, AvroDecisions | ProtobufDecisions)
    assert not found.auto_register
    assert "hunter2222" in loaded.secrets

    (plain,) = problems(
        f"{minimal}\ndecisions: {{{name}: {{{registry.replace('https', 'http')}}}}}\n"
    )
    assert plain.key == f"decisions.{name}.registry.url"
    assert "told a secret" in plain.message
    (missing,) = problems(f"{minimal}\ndecisions: {name}\n")
    assert "registry" in f"{missing.key} {missing.message}"
