from dataclasses import fields
from pathlib import Path

import pytest

from streamproc.config.kafka_names import _CLIENT
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from tests.config.conftest import Problems, Read


def source(minimal: str, *lines: str) -> str:
    return minimal.replace("[ticks]", "\n    ".join(["[ticks]", *lines]))


def test_dotted_settings_of_the_source(read: Read, minimal: str) -> None:
    text = source(
        minimal,
        "bootstrap.servers: b:9092",
        "group.id: g",
        "auto.offset.reset: earliest",
        "isolation.level: read_committed",
        "session.timeout.ms: 6000",
        "fetch_max_wait_ms: 5",
        "max.partition.fetch.bytes: 1048576",
        "client.id: c",
        "heartbeat.interval.ms: 500",
    )
    got = read(text).config.source
    assert (got.bootstrap_servers, got.group_id) == ("b:9092", "g")
    assert (got.auto_offset_reset, got.isolation_level) == ("earliest", "read_committed")
    assert (str(got.session_timeout), str(got.fetch_max_wait)) == ("6s", "5ms")
    assert str(got.max_partition_fetch) == "1MiB"
    assert got.client == {"client_id": "c", "heartbeat_interval_ms": 500}


def test_the_member_that_a_process_is_stays_ours(read: Read, minimal: str) -> None:
    """With workers each gets its own, made of it: handed on to the client, all would have the same."""
    got = read(source(minimal, "group.instance.id: me")).config.source
    assert (got.group_instance_id, got.client) == ("me", {})


@pytest.mark.parametrize("client", [KafkaSource, KafkaSink])
def test_no_setting_of_ours_is_handed_on_as_well(client: type) -> None:
    assert not _CLIENT[client] & {field.name for field in fields(client)}


def test_dotted_settings_of_the_sink(read: Read, minimal: str) -> None:
    names = ["linger.ms: 5", "batch.size: 1024", "compression.type: zstd", "delivery.timeout.ms: 9"]
    got = read(minimal + "".join(f"    {name}\n" for name in names)).config.sink
    assert (str(got.linger), str(got.max_batch)) == ("5ms", "1KiB")
    assert (got.compression, str(got.delivery_timeout)) == ("zstd", "9ms")


def test_security_settings_are_gathered_under_aiokafkas_names(
    read: Read, minimal: str, folder: Path
) -> None:
    (folder / "ca.pem").touch()
    text = source(
        minimal,
        "security.protocol: SASL_SSL",
        "sasl.mechanism: PLAIN",
        "sasl_plain_username: u",
        "sasl.password: 0123",
        "ssl.endpoint.identification.algorithm: none",
        "security: {ssl.ca.location: ca.pem}",
    )
    assert read(text).config.source.security == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "0123",
        "ssl_endpoint_identification_algorithm": "none",
        "ssl_cafile": str(folder / "ca.pem"),
    }


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("max.poll.records: 5", "max.poll.records", "batching.max_size"),
        ("enable.auto.commit: true", "enable.auto.commit", "remove it"),
        ("session.timeout.ms: 6s", "session.timeout.ms", "whole number of milliseconds, was '6s'"),
        ("session.timeout.ms: true", "session.timeout.ms", "whole number of milliseconds"),
        ("session.timeout.ms: -5", "session_timeout", "must be a duration"),
        ("auto.offset.reset: none", "auto_offset_reset", "must be one of earliest, latest"),
        ("security.protocol: x\n    security: 5", "security", "must be a mapping, was 5"),
    ],
)
def test_what_breaks_a_promise_or_has_the_wrong_type(
    problems: Problems, minimal: str, line: str, key: str, words: str
) -> None:
    found = problems(source(minimal, line))[-1]
    assert found.key == f"source.kafka.{key}"
    assert found.line == 5 + line.count("\n")
    assert words in found.message


def test_one_setting_by_two_names(problems: Problems, minimal: str) -> None:
    (found,) = problems(source(minimal, "group.id: a", "group_id: b"))
    assert (found.line, found.key) == (5, "source.kafka.group.id")
    assert "group_id, given in line 6" in found.message
