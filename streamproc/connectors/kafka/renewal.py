"""Other credentials for clients that are connected: a rotated password, token or certificate.

aiokafka's client keeps its credentials for the connections that it will make. Given others, it shows those from its
next connection on; the ones that are open go on, so that nothing is sent twice, read again or waited for.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from aiokafka.client import AIOKafkaClient

from streamproc.connectors.kafka.connection import Access
from streamproc.connectors.kafka.security import named
from streamproc.connectors.kafka.topics import topic_shapes
from streamproc.core import ExternalError

FIXED: Final = (
    "security_protocol",
    "sasl_mechanism",
    "ssl_endpoint_identification_algorithm",
)
"""Security settings that are no credentials: how one speaks to the cluster."""
_FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
_SHOWN: Final = (
    "ssl_context",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_oauth_token_provider",
)


@runtime_checkable
class Renewable(Protocol):
    """A source or sink that takes other credentials while it runs."""

    def renew(self, access: Access, settings: Mapping[str, object]) -> None:
        """Show these from the next connection on.

        Args:
            access: the same cluster, with them.
            settings: ``access.settings()``, which reads files.
        """
        ...


def fingerprint(access: Access) -> str:
    """Tells credentials apart, by what their files hold too; a token's file is read for each connection anyway."""
    mine = named(access.security)
    digest = hashlib.sha256(access.servers.encode())
    for name, value in sorted(mine.items()):
        digest.update(f"\0{name}\0{value}\0".encode(errors="surrogatepass"))
        if name in _FILES:
            digest.update(Path(value).read_bytes())
    return digest.hexdigest()


async def try_out(access: Access, topics: Collection[str], *, writes: bool) -> dict[str, object]:
    """Connect with these credentials, aside; gives the settings that worked.

    Raises:
        ConfigError: the cluster refuses them.
        ExternalError: it cannot be reached.
    """
    settings = access.settings()
    await access.check_reachable()
    async with access.explained(topic_setting="topic" if writes else "topics", writes=writes):
        await topic_shapes(settings, topics)
    return settings


def show(client: AIOKafkaClient, settings: Mapping[str, object]) -> None:
    """Let a client show these credentials from its next connection on.

    Raises:
        ExternalError: this version of aiokafka keeps them elsewhere.
    """
    kept: dict[str, Any] = vars(client)
    for name in _SHOWN:
        if name in settings:
            if f"_{name}" not in kept:
                msg = "this version of aiokafka takes no other credentials while it is connected: restart"
                raise ExternalError(msg)
            setattr(client, f"_{name}", settings[name])
