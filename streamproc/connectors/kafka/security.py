"""TLS and SASL: which settings there are, which go together, and what an aiokafka client is given of them.

The names are aiokafka's; librdkafka's and the Java client's are taken as well, with dots or underscores.
"""

import ssl
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from streamproc.connectors.kafka.tokens import ClientCredentials, TokenFile, TokenText
from streamproc.core import ConfigError, Problem

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_PASSWORDS: Final = ("sasl_plain_username", "sasl_plain_password")
_TLS: Final = (
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_endpoint_identification_algorithm",
)
_TOKENS: Final = (
    "sasl_oauthbearer_token",
    "sasl_oauthbearer_token_file",
    "sasl_oauthbearer_token_endpoint_url",
)
"""Where a token comes from: exactly one of them."""
_CREDENTIALS: Final = ("sasl_oauthbearer_client_id", "sasl_oauthbearer_client_secret")
_OAUTH: Final = (*_TOKENS, *_CREDENTIALS, "sasl_oauthbearer_scope")
SETTINGS: Final = ("security_protocol", "sasl_mechanism", *_PASSWORDS, *_OAUTH, *_TLS)
"""All there are."""
OTHER_NAMES: Final[Mapping[str, str]] = {
    "sasl_username": "sasl_plain_username",
    "sasl_password": "sasl_plain_password",
    "sasl_mechanisms": "sasl_mechanism",
    "sasl_oauthbearer_client_credentials_client_id": "sasl_oauthbearer_client_id",
    "sasl_oauthbearer_client_credentials_client_secret": "sasl_oauthbearer_client_secret",
    "ssl_ca_location": "ssl_cafile",
    "ssl_certificate_location": "ssl_certfile",
    "ssl_key_location": "ssl_keyfile",
    "ssl_key_password": "ssl_password",
}
"""librdkafka's and the Java client's names with their dots as underscores, and ours."""
_NAMES_UNCHECKED: Final = ("", "none")
"""How Kafka turns off the comparison of a broker's name with its certificate."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def our_name(name: str) -> str:
    """Our name of a security setting, whoever's it is written in."""
    flat = name.replace(".", "_")
    return OTHER_NAMES.get(flat, flat)


def named(security: Mapping[str, str]) -> dict[str, str]:
    """Security settings under our names."""
    return {our_name(name): value for name, value in security.items()}


def problems(security: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with security settings, without opening a file: the setting, and what to do.

    Args:
        security: under our names.
    """
    for name in security:
        if name not in SETTINGS:
            yield (
                name,
                f"is no security setting that is known here: there are {', '.join(SETTINGS)}",
            )
    protocol = security.get("security_protocol", "PLAINTEXT")
    if protocol not in PROTOCOLS:
        yield "security_protocol", f"must be one of {', '.join(PROTOCOLS)}, was {protocol!r}"
        return
    tls, sasl = protocol.endswith("SSL"), protocol.startswith("SASL")
    for name in security:
        ours = (tls or name not in _TLS) and (sasl or not name.startswith("sasl_"))
        if name in SETTINGS and not ours:
            wanted = "SSL or SASL_SSL" if name in _TLS else "SASL_SSL"
            yield name, f"has no effect with security_protocol {protocol}: write {wanted}"
    if "ssl_keyfile" in security and "ssl_certfile" not in security:
        yield "ssl_certfile", "is missing: name the certificate that ssl_keyfile belongs to"
    if sasl:
        yield from _sasl_problems(security)


def _sasl_problems(security: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    mechanism = security.get("sasl_mechanism")
    if mechanism not in MECHANISMS:
        was = "is missing" if mechanism is None else f"was {mechanism!r}"
        yield "sasl_mechanism", f"{was}: write one of {', '.join(MECHANISMS)}"
        return
    if mechanism != "OAUTHBEARER":
        for name in _PASSWORDS:
            if not security.get(name):
                yield (
                    name,
                    f"is missing: {mechanism} needs it, such as ${{file:/run/secrets/kafka}}",
                )
        return
    given = [name for name in _TOKENS if name in security]
    if len(given) != 1:
        has = ", ".join(given) or "none"
        yield (
            given[-1] if given else _TOKENS[0],
            f"OAUTHBEARER needs one of {', '.join(_TOKENS)}; there is {has}",
        )
    url = security.get("sasl_oauthbearer_token_endpoint_url")
    if url is None:
        return
    for name in _CREDENTIALS:
        if not security.get(name):
            yield name, "is missing: the token's endpoint asks for it"
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        yield (
            "sasl_oauthbearer_token_endpoint_url",
            "must be https://: it is told the client's secret",
        )


def client_settings(
    servers: str, security: Mapping[str, str], *, key: str = "source.kafka.security"
) -> dict[str, object]:
    """Keyword arguments for an aiokafka client.

    Args:
        servers: ``host:port``, several with commas.
        security: ``security_protocol``, ``sasl_*`` and ``ssl_*``; dots and librdkafka's names are taken.
        key: the configuration's key of ``security``, for messages.

    Raises:
        ConfigError: an unknown or missing setting, or a certificate that cannot be read.
    """
    mine = named(security)
    found = [Problem(message, f"{key}.{name}") for name, message in problems(mine)]
    if found:
        raise ConfigError(*found)
    protocol = mine.get("security_protocol", "PLAINTEXT")
    settings: dict[str, object] = {"bootstrap_servers": servers, "security_protocol": protocol}
    if protocol.endswith("SSL"):
        settings["ssl_context"] = tls_context(mine, key)
    if protocol.startswith("SASL"):
        settings["sasl_mechanism"] = mine["sasl_mechanism"]
        if mine["sasl_mechanism"] == "OAUTHBEARER":
            settings["sasl_oauth_token_provider"] = _tokens(mine, key)
        else:
            settings |= {name: str(mine[name]) for name in _PASSWORDS}
    return settings


def tls_context(security: Mapping[str, str], key: str) -> ssl.SSLContext:
    """What a broker is trusted by, and what it trusts us by; TLS 1.2 at least.

    Args:
        security: under our names.
        key: the configuration's key of it, for messages.

    Raises:
        ConfigError: a file cannot be read or is not what it should be.
    """
    authority = security.get("ssl_cafile")
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        why = _why_unreadable(error, "no certificate in PEM form")
        raise ConfigError(Problem(f"{authority} {why}", f"{key}.ssl_cafile")) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if security.get("ssl_endpoint_identification_algorithm", "https") in _NAMES_UNCHECKED:
        context.check_hostname = False
    certificate = security.get("ssl_certfile")
    if certificate is not None:
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(
                certificate, security.get("ssl_keyfile"), lambda: security.get("ssl_password", "")
            )
        except (OSError, ssl.SSLError) as error:
            name, file, words = _unloadable(security, certificate, error)
            raise ConfigError(Problem(f"{file} {words}", f"{key}.{name}")) from error
    return context


def _unloadable(
    security: Mapping[str, str], certificate: str, error: OSError
) -> tuple[str, str, str]:
    """Which of certificate and key cannot be used, its file, and why."""
    key_file = security.get("ssl_keyfile", certificate)
    code = getattr(error, "reason", None) or ""
    if code == "KEY_VALUES_MISMATCH":
        return "ssl_keyfile", key_file, f"is not the key of the certificate {certificate}"
    if "DECRYPT" in code or "PASSWORD" in code:
        words = "cannot be decrypted: set ssl_password to its password"
        return "ssl_password", key_file, words
    for name, file in (("ssl_certfile", certificate), ("ssl_keyfile", key_file)):
        try:
            with open(file, "rb") as opened:  # noqa: PTH123 - a path as text, as OpenSSL takes it
                text = opened.read(1 << 20)
        except OSError as failure:
            return name, file, _why_unreadable(failure, "")
        marker = b"CERTIFICATE-----" if name == "ssl_certfile" else b"PRIVATE KEY-----"
        if marker not in text:
            what = "certificate" if name == "ssl_certfile" else "private key"
            return name, file, f"holds no {what} in PEM form"
    return "ssl_certfile", certificate, f"cannot be used: {code or error}"


def _why_unreadable(error: OSError, else_: str) -> str:
    if isinstance(error, ssl.SSLError) or not error.strerror:
        return f"holds {else_}"
    return f"cannot be read: {error.strerror}"


def _tokens(security: Mapping[str, str], key: str) -> TokenText | TokenFile | ClientCredentials:
    """What gives the tokens of OAUTHBEARER."""
    if (text := security.get("sasl_oauthbearer_token")) is not None:
        return TokenText(text)
    if (file := security.get("sasl_oauthbearer_token_file")) is not None:
        return TokenFile(file)
    trust = tls_context({k: v for k, v in security.items() if k == "ssl_cafile"}, key)
    return ClientCredentials(
        url=security["sasl_oauthbearer_token_endpoint_url"],
        client_id=security["sasl_oauthbearer_client_id"],
        client_secret=security["sasl_oauthbearer_client_secret"],
        scope=security.get("sasl_oauthbearer_scope"),
        trust=trust,
    )
