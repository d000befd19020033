"""The way to a collector."""

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

from streamproc.core import ConfigError, Problem
from streamproc.telemetry.options import Otlp
from streamproc.telemetry.otlp_settings import collector_of, disabled, protocol_of
from streamproc.telemetry.otlp_transports import (
    Collector,
    GrpcTransport,
    HttpTransport,
    Signal,
    Transport,
)

_Answer = TypeVar("_Answer", bound=Message)


def connect(
    options: Otlp, signal: Signal[_Answer], environ: Mapping[str, str]
) -> tuple[Transport[_Answer], Collector]:
    """The way there, with its certificates read now rather than at the first request.

    Raises:
        ConfigError: what the file or the environment says of the collector is wrong.
    """
    protocol = protocol_of(options, signal, environ)
    collector = collector_of(options, signal, protocol, environ)
    try:
        if protocol == "grpc":
            return GrpcTransport(collector, signal), collector
        return HttpTransport(collector, signal), collector
    except OSError as error:
        text = f"cannot read a certificate of the collector: {error}"
        raise ConfigError(Problem(text, f"{signal.key}.tls")) from error


def check_collector(
    options: Otlp, signal: Signal[Any], environ: Mapping[str, str] = os.environ
) -> None:
    """Look at what the file and the environment say of the collector; it is not asked.

    Raises:
        ConfigError: as ``connect``.
    """
    if not disabled(signal, environ):
        connect(options, signal, environ)[0].close()
