"""Where traces and metrics go, from the file and from the variables that OpenTelemetry gives names to.

The variables are those of its specification (https://opentelemetry.io/docs/specs/otel/protocol/exporter/); one
that is empty counts as not set, and one for a signal alone counts more than the one for all of them.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from opentelemetry.sdk.resources import Resource

from streamproc.core import NS_PER_S, ConfigError, Problem
from streamproc.telemetry.options import Otlp
from streamproc.telemetry.otlp_transports import Collector, Signal

PROTOCOLS = ("http/protobuf", "grpc")
_TIMEOUT_S = 5.0
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


def disabled(signal: Signal[Any], environ: Mapping[str, str]) -> bool:
    """Whether the environment turns a signal off, whatever the file says."""
    sdk = environ.get("OTEL_SDK_DISABLED", "").strip().lower()
    return sdk == "true" or environ.get(signal.switch, "").strip().lower() == "none"


def protocol_of(options: Otlp, signal: Signal[Any], environ: Mapping[str, str]) -> str:
    """The protocol, one of ``PROTOCOLS``.

    Raises:
        ConfigError: it is another one.
    """
    protocol = options.protocol or _variable(signal, environ, "PROTOCOL") or PROTOCOLS[0]
    if protocol not in PROTOCOLS:
        text = f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: there are {' and '.join(PROTOCOLS)}"
        raise ConfigError(Problem(text, f"{signal.key}.protocol"))
    return protocol


def collector_of(
    options: Otlp, signal: Signal[Any], protocol: str, environ: Mapping[str, str]
) -> Collector:
    """The collector that the file and the environment name.

    Raises:
        ConfigError: what they say of it is no address, no header or no number.
    """
    url = _endpoint(options, signal, protocol, environ)
    tls = options.tls
    return Collector(
        url=url,
        secure=_secure(url, signal, protocol, environ),
        headers=_checked(
            dict(options.headers) or _headers(_variable(signal, environ, "HEADERS") or ""),
            signal.key,
        ),
        ca_file=tls.ca_file or _variable(signal, environ, "CERTIFICATE"),
        cert_file=tls.cert_file or _variable(signal, environ, "CLIENT_CERTIFICATE"),
        key_file=tls.key_file or _variable(signal, environ, "CLIENT_KEY"),
        compressed=(options.compression or _variable(signal, environ, "COMPRESSION")) == "gzip",
        timeout_s=_timeout_s(options, signal, environ),
    )


def resource_of(pipeline: str) -> dict[str, object]:
    """The process's attributes as the SDK reads them from ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME``.

    Args:
        pipeline: the ``service.name`` where the environment says none.
    """
    attributes: dict[str, object] = {**Resource.create().attributes}
    if str(attributes.get("service.name", "")).startswith("unknown_service"):
        attributes["service.name"] = pipeline
    return attributes


def _variable(signal: Signal[Any], environ: Mapping[str, str], name: str) -> str | None:
    """A variable of the OTLP exporter, that for the signal first; None where it is not set."""
    for prefix in (f"OTEL_EXPORTER_OTLP_{signal.name.upper()}_", "OTEL_EXPORTER_OTLP_"):
        if value := environ.get(prefix + name, "").strip():
            return value
    return None


def _endpoint(options: Otlp, signal: Signal[Any], protocol: str, environ: Mapping[str, str]) -> str:
    """Where to send to; over HTTP a base URL is given the signal's path."""
    variable = f"OTEL_EXPORTER_OTLP_{signal.name.upper()}_ENDPOINT"
    whole = environ.get(variable, "").strip()
    if options.otlp is None and whole:
        return _address(whole, signal, protocol, variable)
    port = 4317 if protocol == "grpc" else 4318
    said = options.otlp or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    url = _address(
        said or f"http://localhost:{port}", signal, protocol, "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    if protocol == "grpc" or urlsplit(url).path.endswith(f"/v1/{signal.name}"):
        return url
    return f"{url.rstrip('/')}/v1/{signal.name}"


def _address(url: str, signal: Signal[Any], protocol: str, variable: str) -> str:
    """The URL, if it is one; gRPC takes ``host:port`` too."""
    named = url.startswith(("http://", "https://"))
    if (named and urlsplit(url).hostname) or (protocol == "grpc" and "://" not in url):
        if urlsplit(url).username is None:
            return url
        text = "the collector's address holds a password: put it into headers, as authorization"
    else:
        text = f"{variable} is {url!r}: it must be a URL such as http://localhost:4318"
    raise ConfigError(Problem(text, f"{signal.key}.otlp"))


def _secure(url: str, signal: Signal[Any], protocol: str, environ: Mapping[str, str]) -> bool:
    """Whether TLS is spoken: the scheme says it; without one (gRPC only) it is, unless the environment says no."""
    if "://" in url or protocol != "grpc":
        return url.startswith("https://")
    return (_variable(signal, environ, "INSECURE") or "").lower() != "true"


def _timeout_s(options: Otlp, signal: Signal[Any], environ: Mapping[str, str]) -> float:
    if options.timeout is not None:
        return int(options.timeout) / NS_PER_S
    text = _variable(signal, environ, "TIMEOUT")
    if text is None:
        return _TIMEOUT_S
    if not text.isdecimal() or int(text) == 0:
        problem = f"OTEL_EXPORTER_OTLP_TIMEOUT is {text!r}: it must be a number of milliseconds"
        raise ConfigError(Problem(problem, f"{signal.key}.timeout"))
    return int(text) / 1_000


def _checked(headers: Mapping[str, str], key: str) -> dict[str, str]:
    """Headers that can be sent, names in lower case. What is wrong is named without its value: it is a secret."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name.lower()):
            raise ConfigError(Problem(f"{name!r} is no header's name", f"{key}.headers"))
        if not _HEADER_VALUE.fullmatch(value):
            text = "its value holds a line break, or a letter that headers cannot have"
            raise ConfigError(Problem(text, f"{key}.headers.{name}"))
    return {name.lower(): value for name, value in headers.items()}


def _headers(text: str) -> dict[str, str]:
    """``name=value,name=value`` with percent-encoded values, as the specification has it."""
    pairs = (item.partition("=") for item in text.split(",") if "=" in item)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
