"""The addresses of brokers, as people write them."""

from typing import Final

_PORT_MAX: Final = 65_535


def address_of(server: str) -> tuple[str, int]:
    """The host and the port of one address; an IPv6 host comes without its brackets.

    Raises:
        ValueError: it is not ``host:port``.
    """
    host, _, port = server.strip().rpartition(":")
    if not host or not (port.isdecimal() and 0 < int(port) <= _PORT_MAX):
        msg = f"{server.strip()!r} is no host:port, such as localhost:9092"
        raise ValueError(msg)
    return host.strip("[]"), int(port)
