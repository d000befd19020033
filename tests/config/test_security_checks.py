"""Files of TLS and SASL, and who may call the endpoints, as the configuration's file says."""

from pathlib import Path

import pytest

from tests.config.conftest import Problems, Read

TOKEN = "0123456789abcdef"


def with_client(minimal: str, *lines: str) -> str:
    return minimal.replace("[ticks]", "\n    ".join(["[ticks]", *lines]))


def with_metrics(minimal: str, metrics: str) -> str:
    return f"{minimal}telemetry: {{metrics: {metrics}}}\n"


def test_files_start_from_the_configurations_folder(read: Read, minimal: str, folder: Path) -> None:
    (folder / "ca.pem").touch()
    text = with_client(minimal, "security.protocol: SSL", "ssl.ca.location: ca.pem")
    assert read(text).config.source.security["ssl_cafile"] == str(folder / "ca.pem")


def test_a_file_that_is_not_there(problems: Problems, minimal: str) -> None:
    text = with_client(minimal, "security.protocol: SSL", "ssl_cafile: none.pem")
    (found,) = problems(text)
    assert (found.line, found.key) == (6, "source.kafka.security.ssl_cafile")
    assert "there is no file" in found.message


def test_a_token_from_a_file_is_the_file(read: Read, minimal: str, folder: Path) -> None:
    (folder / "token").write_text("first-token")
    login = ("security.protocol: SASL_SSL", "sasl.mechanism: OAUTHBEARER")
    text = with_client(minimal, *login, "sasl_oauthbearer_token: ${file:token}")
    security = read(text).config.source.security
    assert security["sasl_oauthbearer_token_file"] == str(folder / "token")
    assert "sasl_oauthbearer_token" not in security
    assert "first-token" not in repr(security)


def test_what_does_not_go_together_has_its_line(problems: Problems, minimal: str) -> None:
    text = with_client(minimal, "security.protocol: SASL_SSL", "sasl.mechanism: GSSAPI")
    (found,) = problems(text)
    assert (found.line, found.key) == (6, "source.kafka.security.sasl_mechanism")


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9:1"])
def test_on_loopback_no_token_is_needed(read: Read, minimal: str, listen: str) -> None:
    assert read(with_metrics(minimal, f"{{listen: '{listen}'}}")).config.telemetry.metrics.is_local


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "10.1.2.3:1", "pod.test:1"])
def test_beyond_it_one_is(read: Read, problems: Problems, minimal: str, listen: str) -> None:
    (found,) = problems(with_metrics(minimal, f"{{listen: '{listen}'}}"))
    assert found.key == "telemetry.metrics.token"
    assert "openssl rand -hex 32" in found.message
    text = with_metrics(minimal, f"{{listen: '{listen}', token: '${{env:T}}'}}")
    loaded = read(text, environ={"T": TOKEN})
    assert loaded.config.telemetry.metrics.token == TOKEN
    assert TOKEN not in repr(loaded)
    assert loaded.redact(TOKEN) == "***"


@pytest.mark.parametrize("token", ["short", "", "\u00fc" * 20])
def test_a_token_that_could_be_guessed(problems: Problems, minimal: str, token: str) -> None:
    (found,) = problems(with_metrics(minimal, f"{{token: '{token}'}}"))
    assert found.key == "telemetry.metrics.token"
    assert not token or token not in found.message
