"""Settings that every Kafka client needs, and words for why one cannot connect."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Iterator, Mapping

from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from streamproc.core import ConfigError, ExternalError, Problem

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
_SSL_FILES = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password")
_PASSED = ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
_LIBRDKAFKA = {
    "sasl_username": "sasl_plain_username",
    "sasl_password": "sasl_plain_password",
    "ssl_ca_location": "ssl_cafile",
    "ssl_certificate_location": "ssl_certfile",
    "ssl_key_location": "ssl_keyfile",
    "ssl_key_password": "ssl_password",
}


def client_settings(servers: str, security: Mapping[str, str]) -> dict[str, object]:
    """Keyword arguments for an aiokafka client.

    Args:
        servers: ``host:port``, several with commas.
        security: ``security_protocol``, ``sasl_*`` and ``ssl_*``; dots and librdkafka's names are taken.

    Raises:
        ConfigError: an unknown setting, or a certificate that cannot be read.
    """
    named = {}
    for name, value in security.items():
        plain = name.replace(".", "_")
        named[_LIBRDKAFKA.get(plain, plain)] = value
    unknown = named.keys() - {*_PASSED, *_SSL_FILES}
    if unknown:
        known = ", ".join((*_PASSED, *_SSL_FILES))
        msg = f"unknown security settings {', '.join(sorted(unknown))}: there are {known}"
        raise ConfigError(Problem(msg, "source.kafka.security"))
    settings: dict[str, object] = {n: v for n, v in named.items() if n in _PASSED}
    settings["bootstrap_servers"] = servers
    if named.get("security_protocol", "PLAINTEXT") in ("SSL", "SASL_SSL"):
        settings["ssl_context"] = _ssl_context(named)
    return settings


def _ssl_context(named: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=named.get("ssl_cafile"),
            certfile=named.get("ssl_certfile"),
            keyfile=named.get("ssl_keyfile"),
            password=named.get("ssl_password"),
        )
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(named[n] for n in _SSL_FILES[:3] if n in named)
        raise ConfigError(
            Problem(f"cannot read the TLS files {files}: {error}", "source.kafka.security")
        ) from error
    return context


class _LastWords(logging.Handler):
    """Remembers what aiokafka logs: its exceptions do not say why."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.words.append(record.getMessage())


@contextlib.contextmanager
def explained(what: str, servers: str) -> Iterator[None]:
    """Turn what an aiokafka client raises while it connects into words for people.

    Args:
        what: who connects, such as ``source``.
        servers: where to.

    Raises:
        ExternalError: always where aiokafka raised.
    """
    log = logging.getLogger("aiokafka")
    handler = _LastWords()
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    except KafkaError as error:
        said = "; ".join(dict.fromkeys(handler.words[-3:])) or str(error)
        msg = f"{what}: cannot connect to Kafka at {servers}: {said}"
        raise ExternalError(msg, retriable=True) from error
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


async def check_reachable(what: str, servers: str) -> None:
    """See that something listens at one of the addresses.

    Raises:
        ExternalError: nothing does; the text says of each why not.
        ConfigError: an address is not ``host:port``.
    """
    failures = []
    for server in (s.strip() for s in servers.split(",")):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            msg = f"{what}: {server!r} is no host:port, such as localhost:9092"
            raise ConfigError(msg)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except TimeoutError:
            failures.append(f"{server}: no answer in {CONNECT_TIMEOUT_S:.0f} s")
        except OSError as error:
            failures.append(f"{server}: {error.strerror or error}")
        else:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return
    msg = f"{what}: no Kafka broker can be reached ({'; '.join(failures)}); is it running, is bootstrap_servers right?"
    raise ExternalError(msg, retriable=True)


async def stop_within(stopping: Awaitable[None], what: str, seconds: float) -> None:
    """Wait for an aiokafka client to stop, at most so long; it may hang, or raise what it cancelled itself.

    Args:
        stopping: what its ``stop`` gave.
        what: who stops, for the log.
        seconds: how long to wait.
    """
    try:
        async with asyncio.timeout(seconds):
            await stopping
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        log.warning("%s was stopped in the middle of a request", what)
    except (TimeoutError, KafkaError) as error:
        log.warning("%s did not stop: %r", what, error)
