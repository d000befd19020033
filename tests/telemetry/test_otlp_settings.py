"""Where traces go: the file, the variables of OpenTelemetry, certificates."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streamproc.core import ConfigError, Duration
from streamproc.telemetry import Tls, Traces
from streamproc.telemetry.otlp import Exporter, make_exporter
from streamproc.telemetry.otlp_settings import collector_of, protocol_of, resource_of
from streamproc.telemetry.otlp_transports import TRACES, Collector
from tests.support.otlp import OtlpReceiver
from tests.telemetry.passages import journeys, passage

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


def found(options: Traces, environ: dict[str, str]) -> Collector:
    return collector_of(options, TRACES, protocol_of(options, TRACES, environ), environ)


@pytest.mark.parametrize(
    ("options", "environ", "url"),
    [
        (Traces(), {}, "http://localhost:4318/v1/traces"),
        (Traces(otlp="http://c:1/"), {BASE: "http://d:2"}, "http://c:1/v1/traces"),
        (Traces(otlp="http://c:1/v1/traces"), {}, "http://c:1/v1/traces"),
        (Traces(), {BASE: "http://d:2"}, "http://d:2/v1/traces"),
        (Traces(), {BASE: "https://d/otlp"}, "https://d/otlp/v1/traces"),
        (Traces(), {BASE: "http://d:2", OF_TRACES: "http://e:3/in"}, "http://e:3/in"),
        (Traces(), {BASE: "http://d:2", OF_TRACES: ""}, "http://d:2/v1/traces"),
        (Traces(protocol="grpc"), {}, "http://localhost:4317"),
        (Traces(), GRPC, "http://localhost:4317"),
        (Traces(), {**GRPC, BASE: "d:4317"}, "d:4317"),
    ],
)
def test_the_environment_says_what_the_file_does_not(
    options: Traces, environ: dict[str, str], url: str
) -> None:
    assert found(options, environ).url == url


@pytest.mark.parametrize(
    ("environ", "secure"),
    [
        ({BASE: "http://c"}, False),
        ({BASE: "https://c"}, True),
        ({**GRPC, BASE: "http://c:1"}, False),
        ({**GRPC, BASE: "https://c:1"}, True),
        ({**GRPC, BASE: "c:1"}, True),
        ({**GRPC, BASE: "c:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, False),
        ({**GRPC, BASE: "https://c:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, True),
    ],
)
def test_the_scheme_says_whether_tls_is_spoken(environ: dict[str, str], secure: bool) -> None:
    assert found(Traces(), environ).secure is secure


def test_the_variables_for_traces_count_more_than_those_for_all_signals() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "Api-Key=a%20b, x=y",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "700",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "us.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "us.key",
    }
    collector = found(Traces(), environ)
    assert collector.headers == {"api-key": "a b", "x": "y"}
    assert (collector.timeout_s, collector.compressed) == (1.5, True)
    assert (collector.ca_file, collector.cert_file, collector.key_file) == ("ca.pem", "us.pem", "us.key")  # fmt: skip
    said = Traces(
        headers={"k": "v"},
        timeout=Duration.parse("2s"),
        compression="none",
        tls=Tls(ca_file="b.pem"),
    )
    collector = found(said, environ)
    assert (collector.headers, collector.timeout_s, collector.compressed, collector.ca_file) == (
        {"k": "v"},
        2.0,
        False,
        "b.pem",
    )


@pytest.mark.parametrize(
    ("options", "environ", "key", "text"),
    [
        (Traces(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "protocol", "http/json"),
        (Traces(), {BASE: "localhost:4318"}, "otlp", BASE),
        (Traces(), {OF_TRACES: "ftp://c"}, "otlp", OF_TRACES),
        (Traces(), {BASE: "http://"}, "otlp", BASE),
        (Traces(), {"OTEL_EXPORTER_OTLP_TIMEOUT": "5s"}, "timeout", "milliseconds"),
        (Traces(headers={"a b": "x"}), {}, "headers", "a b"),
        (Traces(headers={"key": "s3cret\n"}), {}, "headers.key", "line break"),
        (Traces(), {"OTEL_EXPORTER_OTLP_HEADERS": "key=s3cret%0A"}, "headers.key", "line break"),
        (Traces(otlp="http://me:s3cret@c"), {}, "otlp", "password"),
    ],
)
def test_what_is_wrong_is_said_at_the_start_and_no_secret_with_it(
    options: Traces, environ: dict[str, str], key: str, text: str
) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        found(options, environ)
    assert f"telemetry.traces.{key}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_headers_are_not_shown() -> None:
    options = Traces(headers={"authorization": "s3cret"})
    assert "s3cret" not in repr(options) + repr(found(options, {}))


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")]
)
def test_the_environment_may_turn_traces_off(name: str, value: str) -> None:
    made = make_exporter(Traces(), pipeline="p", group="g", model="m", environ={name: value})
    assert made is None


def test_the_resource_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    assert resource_of("p")["service.name"] == "p"
    assert resource_of("p")["service.instance.id"]
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=q"
    )
    assert resource_of("p")["service.name"] == "q"
    assert resource_of("p")["deployment.environment.name"] == "test"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "r")
    assert resource_of("p")["service.name"] == "r"


# -- a collector behind TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody but itself vouches for, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: it makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=collector"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made]
    subprocess.run([openssl, *words.split(), *names], check=True, capture_output=True)
    return made, key


def sent(receiver: OtlpReceiver, protocol: Any, tls: Tls) -> Exporter:
    url = receiver.grpc if protocol == "grpc" else receiver.http
    options = Traces(otlp=url, protocol=protocol, tls=tls, headers={"authorization": "Bearer k"})
    out = make_exporter(options, pipeline="p", group="g", model="m", environ={})
    assert out is not None
    for journey in journeys(passage(), ratio=1.0):
        out.export(journey)
    out.close()
    return out


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_behind_tls_is_trusted_by_its_authority(
    protocol: Any, certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    with OtlpReceiver(tls=certificate) as receiver:
        taken = sent(receiver, protocol, Tls(ca_file=str(certificate[0])))
        assert (taken.exported, taken.dropped) == (1, 0)
        assert receiver.headers[0]["authorization"] == "Bearer k"
        assert not caplog.records
        stranger = sent(receiver, protocol, Tls())
        assert (stranger.exported, stranger.dropped) == (0, 1)
        assert "does not take them" in caplog.records[0].getMessage()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_certificate_that_is_not_there_is_said_at_the_start(protocol: Any) -> None:
    options = Traces(otlp="https://c:1", protocol=protocol, tls=Tls(ca_file="/no/such.pem"))
    with pytest.raises(ConfigError, match="certificate"):
        make_exporter(options, pipeline="p", group="g", model="m", environ={})
