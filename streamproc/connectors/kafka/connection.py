"""How a cluster is reached: settings that every Kafka client needs, and words for why one cannot connect."""

import asyncio
import contextlib
import logging
import ssl
from asyncio import IncompleteReadError
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, field

from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    StaleMetadata,
)

from streamproc.connectors.kafka.addresses import address_of
from streamproc.connectors.kafka.options import KafkaSink, KafkaSource
from streamproc.connectors.kafka.quiet import keep_payloads_out
from streamproc.connectors.kafka.refusals import Refusal, denied, refusal
from streamproc.connectors.kafka.security import client_settings, named
from streamproc.core import ConfigError, ExternalError, Problem

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
_CLOSING_S = 0.05
_SOURCE = "source.kafka"

keep_payloads_out()


@dataclass(frozen=True, slots=True)
class Access:
    """A cluster, and who we are to it.

    Attributes:
        what: who asks, as messages call it: ``source.kafka``, ``sink.kafka``.
        servers: ``host:port``, several with commas.
        security: TLS and SASL settings.
        security_of: the part of the configuration that these stand in.
    """

    what: str
    servers: str
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    security_of: str = _SOURCE

    @classmethod
    def of_source(cls, source: KafkaSource) -> "Access":
        """The source's."""
        return cls(_SOURCE, source.bootstrap_servers, source.security)

    @classmethod
    def of_sink(cls, sink: KafkaSink, source: object) -> "Access":
        """The sink's, which is the source's unless said, where that is Kafka too."""
        if not isinstance(source, KafkaSource):
            return cls("sink.kafka", sink.bootstrap_servers, sink.security, "sink.kafka")
        servers = sink.bootstrap_servers or source.bootstrap_servers
        if sink.security:
            return cls("sink.kafka", servers, sink.security, "sink.kafka")
        return cls("sink.kafka", servers, source.security)

    def settings(self) -> dict[str, object]:
        """Keyword arguments for an aiokafka client.

        Raises:
            ConfigError: an unknown or missing setting, or a certificate that cannot be read.
        """
        key = f"{self.security_of}.security"
        return client_settings(self.servers, self.security, key=key)

    async def check_reachable(self) -> None:
        """See that something listens at one of the addresses; see ``check_reachable``."""
        await check_reachable(self.what, self.servers)

    def denied(
        self,
        error: BaseException,
        *,
        topic_setting: str = "topics",
        writes: bool = False,
        group: str | None = None,
    ) -> ConfigError | None:
        """What an access rule of the broker forbids, in words; None where none does.

        Args:
            error: what a client raised.
            topic_setting: the key below ``what`` that names the topics, or one of ``outcomes``.
            writes: True for who writes to them, False for who reads.
            group: the consumer group.
        """
        found = denied(error, topic_setting=topic_setting, writes=writes, group=group)
        return None if found is None else self._config_error(found)

    @contextlib.asynccontextmanager
    async def explained(
        self, *, topic_setting: str = "topics", writes: bool = False, group: str | None = None
    ) -> AsyncIterator[None]:
        """Turn what an aiokafka client raises inside into words for people; arguments as of ``denied``.

        Raises:
            ConfigError: the broker refuses us: the key at fault and what to do.
            ExternalError: anything else.
        """
        with _last_words() as heard:
            try:
                yield
            except (KafkaError, OSError, ValueError) as error:
                # aiokafka lets go of a connection that failed without waiting for its end.
                await asyncio.sleep(_CLOSING_S)
                errors = [error, *reversed(heard.errors)]
                found = (
                    denied(error, topic_setting=topic_setting, writes=writes, group=group)
                    or refusal(errors, named(self.security), self.servers)
                    or await self._mismatch(errors)
                )
                if found is None and not isinstance(error, KafkaError | OSError):
                    raise
                if found is not None:
                    raise self._config_error(found) from error
                said = "; ".join(dict.fromkeys(heard.words[-3:])) or str(error)
                msg = f"{self.what}: cannot connect to Kafka at {self.servers}: {said}"
                raise ExternalError(msg, retriable=True) from error

    def _config_error(self, found: Refusal) -> ConfigError:
        part = self.security_of if found.setting.startswith("security.") else self.what
        if found.setting.startswith("outcomes."):
            return ConfigError(Problem(found.message, found.setting))
        return ConfigError(Problem(found.message, f"{part}.{found.setting}"))

    async def _mismatch(self, errors: list[BaseException]) -> Refusal | None:
        """The broker closes the connection without a word: does it expect another protocol?"""
        mine = named(self.security)
        protocol, mechanism = mine.get("security_protocol", "PLAINTEXT"), mine.get("sasl_mechanism")
        setting = "security.security_protocol"
        if any(isinstance(error, IllegalSaslStateError) for error in errors):
            return Refusal(setting, f"{self.servers} offers no SASL: write {protocol[5:]}")
        if mechanism == "OAUTHBEARER" and any(isinstance(e, StaleMetadata) for e in errors):
            # The broker says why in an answer that aiokafka takes for the end of the login.
            return refusal([SaslAuthenticationFailed()], mine, self.servers)
        if any(_closed(error) for error in errors):
            return await self._other_protocol(protocol)
        return None

    async def _other_protocol(self, protocol: str) -> Refusal | None:
        """What a listener speaks that hangs up on us."""
        setting = "security.security_protocol"
        if protocol == "SSL":
            text = (
                f"{self.servers} closes the connection: does it ask for SASL? Then write SASL_SSL"
            )
            return Refusal(setting, text)
        if not protocol.endswith("SSL") and await _speaks_tls(self.servers):
            with_tls = "SASL_SSL" if protocol.startswith("SASL") else "SSL or SASL_SSL"
            return Refusal(setting, f"{self.servers} speaks TLS: write {with_tls}, not {protocol}")
        return None


def _closed(error: BaseException) -> bool:
    """True where the other side ended the connection."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, IncompleteReadError | ConnectionError):
            return True
        seen = seen.__cause__
    return False


async def _speaks_tls(servers: str) -> bool:
    """Whether a server answers a TLS handshake, whoever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # nothing is sent, nothing believed
    host, _, port = servers.split(",", maxsplit=1)[0].strip().rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


class _LastWords(logging.Handler):
    """Remembers what aiokafka logs: its exceptions do not say why."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message, and the exceptions that it tells of."""
        self.words.append(record.getMessage())
        told = record.args if isinstance(record.args, tuple) else ()
        self.errors += [arg for arg in told if isinstance(arg, BaseException)]
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@contextlib.contextmanager
def _last_words() -> Iterator[_LastWords]:
    """What aiokafka logs meanwhile, kept from the log."""
    of_aiokafka = logging.getLogger("aiokafka")
    handler = _LastWords()
    propagate, of_aiokafka.propagate = of_aiokafka.propagate, False
    of_aiokafka.addHandler(handler)
    try:
        yield handler
    finally:
        of_aiokafka.removeHandler(handler)
        of_aiokafka.propagate = propagate


async def check_reachable(what: str, servers: str) -> None:
    """See that something listens at one of the addresses.

    Raises:
        ExternalError: nothing does; the text says of each why not.
        ConfigError: an address is not ``host:port``.
    """
    failures = []
    for server in (s.strip() for s in servers.split(",")):
        try:
            host, port = address_of(server)
        except ValueError as error:
            msg = f"{what}: {error}"
            raise ConfigError(msg) from None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, port)
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
    except (TimeoutError, KafkaError, OSError) as error:
        log.warning("%s did not stop: %r", what, error)
