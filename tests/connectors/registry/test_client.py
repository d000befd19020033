import json
from collections.abc import Iterator

import pytest

from streamproc.codecs import Registry
from streamproc.connectors.registry import RegistryClient, UnknownSchemaError
from streamproc.core import ConfigError, ExternalError
from tests.codecs.schemas import proto_file, serialised
from tests.support.registry import Registered, RegistryServer

RECORD = json.dumps({"type": "record", "name": "R", "fields": []})


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer().serving() as serving:
        yield serving


def client(server: RegistryServer, **security: str) -> RegistryClient:
    return RegistryClient(Registry(server.url, security), "codec.avro.registry")


def test_a_schema_comes_with_all_that_it_refers_to_each_before_what_needs_it(
    server: RegistryServer,
) -> None:
    server.by_id[3] = Registered(RECORD, references=[("b", "b/value", 2)])
    server.by_subject["b%2Fvalue", 2] = Registered("B", references=[("a", "a", 1)])
    server.by_subject["a", 1] = Registered("A")
    found = client(server).schema(3, "AVRO")
    assert (found.kind, found.text) == ("AVRO", RECORD)
    assert found.references == (("a", "A"), ("b", "B"))


def test_protobuf_is_asked_for_serialised_and_compiled_where_it_comes_as_text(
    server: RegistryServer,
) -> None:
    text = serialised(proto_file())
    server.by_id[1] = Registered(text, "PROTOBUF")
    server.by_id[2] = Registered(
        'syntax = "proto3"; package p; import "other.proto"; message M { Other o = 1; }',
        "PROTOBUF",
        [("other.proto", "other", 1)],
    )
    server.by_subject["other", 1] = Registered(
        'syntax = "proto3"; package p; message Other { int64 x = 1; }', "PROTOBUF"
    )
    asking = client(server)
    assert asking.schema(1, "PROTOBUF").text == text
    assert server.asked == ["/schemas/ids/1?format=serialized"]
    found = asking.schema(2, "PROTOBUF")
    assert [name for name, _ in found.references] == ["other.proto"]


def test_what_the_registry_does_not_know_is_told_from_what_it_does_not_answer(
    server: RegistryServer,
) -> None:
    asking = client(server)
    with pytest.raises(UnknownSchemaError, match="does not know the schema"):
        asking.schema(9, "AVRO")
    server.status = 503
    with pytest.raises(ExternalError, match="status 503") as caught:
        asking.schema(9, "AVRO")
    assert caught.value.retriable
    wrong = RegistryClient(Registry(server.url + "/wrong"), "k")
    server.status = 200
    with pytest.raises(ExternalError, match="status 404") as caught:
        wrong.schema(9, "AVRO")
    assert not isinstance(caught.value, UnknownSchemaError)


@pytest.mark.parametrize(
    ("security", "header"),
    [
        ({"username": "u", "password": "p"}, "Basic dTpw"),
        ({"bearer_token": "abc"}, "Bearer abc"),
    ],
)
def test_credentials(server: RegistryServer, security: dict[str, str], header: str) -> None:
    server.by_id[1] = Registered(RECORD)
    server.authorization = header
    assert client(server, **security).schema(1, "AVRO").text == RECORD
    with pytest.raises(ExternalError, match="wrong credentials"):
        client(server).schema(1, "AVRO")


def test_the_next_address_is_asked_where_one_is_away(server: RegistryServer) -> None:
    server.by_id[1] = Registered(RECORD)
    both = RegistryClient(Registry(f"http://127.0.0.1:1, {server.url}"), "k")
    assert both.schema(1, "AVRO").text == RECORD


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Registry("ftp://x"), "http://HOST"),
        (Registry("http://u:p@x"), "no credentials"),
        (Registry("http://far.example", {"bearer_token": "t"}), "must be https"),
        (Registry("https://x", {"username": "u"}), "belong together"),
        (Registry("https://x", {"user": "u"}), "is not known"),
        (Registry("https://x", {"ssl_cafile": "/nowhere.pem"}), "cannot be read"),
    ],
)
def test_settings_that_do_not_fit(options: Registry, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RegistryClient(options, "k")
