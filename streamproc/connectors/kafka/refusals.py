"""Why Kafka does not let a client in: one line that names the setting and what to do.

aiokafka's clients say "unable to bootstrap" for a wrong password, an unknown authority and a wrong port alike. What
they met on the way stands in what they log, and in the causes of what they raise; ``refusal`` reads it there.
"""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
)

from streamproc.connectors.kafka.tokens import TokenError

_CAUSES_MAX: Final = 8

# OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h).
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_NAME: Final = (62, 64)


class Refusal(NamedTuple):
    """Why a client is not let in.

    Attributes:
        setting: the key at fault, below ``source.kafka`` or ``sink.kafka``, such as ``security.ssl_cafile``.
        message: what is wrong and what to do.
    """

    setting: str
    message: str


def refusal(
    errors: Iterable[BaseException], security: Mapping[str, str], servers: str
) -> Refusal | None:
    """Why a client was refused; None where it was not, or nobody knows.

    Args:
        errors: what the client raised and logged, the last first.
        security: its settings, under our names.
        servers: where it wanted to.
    """
    for error in errors:
        for cause in _causes(error):
            found = _reason(cause, security, servers)
            if found is not None:
                return found
    return None


def denied(
    error: BaseException, *, topic_setting: str, writes: bool, group: str | None
) -> Refusal | None:
    """What an access rule (ACL) denies; None where none does.

    Args:
        error: what the client raised.
        topic_setting: the key that names the topics.
        writes: True for who writes to them, False for who reads.
        group: the consumer group; None where there is none.
    """
    for cause in _causes(error):
        match cause:
            case TopicAuthorizationFailedError():
                right, flag = ("WRITE", "--producer") if writes else ("READ", "--consumer")
                named = _names(cause.args)
                message = (
                    f"the broker denies {right} on topic {named}: add the ACL, such as "
                    f"kafka-acls --add {flag} --topic {named}{' --group ' + group if group else ''} "
                    "--allow-principal User:NAME"
                )
                return Refusal(topic_setting, message)
            case GroupAuthorizationFailedError():
                message = (
                    f"the broker denies READ on group {group or _names(cause.args)}: add the ACL, such as "
                    f"kafka-acls --add --operation Read --group {group} --allow-principal User:NAME"
                )
                return Refusal("group_id", message)
            case ClusterAuthorizationFailedError():
                message = (
                    "the broker denies IDEMPOTENT_WRITE: the user may write to no topic at all; "
                    "add WRITE on the topics of sink and outcomes"
                )
                return Refusal(topic_setting, message)
            case TransactionalIdAuthorizationFailed():
                message = (
                    f"the broker denies WRITE on transactional id {_names(cause.args)}: add the ACL, such as "
                    "kafka-acls --add --operation Write --transactional-id ID --allow-principal User:NAME"
                )
                return Refusal(topic_setting, message)
            case _:
                pass
    return None


def _names(args: tuple[object, ...]) -> str:
    """What an authorization error names."""
    if not args:
        return "of this pipeline"
    given = args[0]
    return (
        ", ".join(sorted(map(str, given)))
        if isinstance(given, set | frozenset | list)
        else str(given)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, and so on."""
    current: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _reason(error: BaseException, security: Mapping[str, str], servers: str) -> Refusal | None:
    found: Refusal | None = None
    match error:
        case ssl.SSLCertVerificationError():
            found = _untrusted(error, security, servers)
        case ssl.SSLError():
            found = _handshake(error, security, servers)
        case SaslAuthenticationFailed():
            found = _wrong_credentials(security)
        case UnsupportedSaslMechanismError():
            mechanism = security.get("sasl_mechanism")
            found = Refusal(
                "security.sasl_mechanism", f"{servers} does not offer {mechanism}: {error}"
            )
        case TokenError():
            found = Refusal(f"security.{_token_setting(security)}", str(error.args[0]))
        case ValueError() if "signature" in str(
            error
        ):  # aiokafka's word for a broker's wrong proof
            message = (
                f"{servers} does not know the password itself: it is not the cluster that is meant"
            )
            found = Refusal("bootstrap_servers", message)
    return found


def _token_setting(security: Mapping[str, str]) -> str:
    """The setting that a token comes from."""
    return next((s for s in security if s.startswith("sasl_oauthbearer_token")), "sasl_mechanism")


def _untrusted(
    error: ssl.SSLCertVerificationError, security: Mapping[str, str], servers: str
) -> Refusal:
    """The broker's certificate is not trusted."""
    code, said = error.verify_code, error.verify_message
    if code in _NAME:
        message = (
            f"the broker's certificate is not for this name ({said}): write the name that it is made for, "
            "or have one made for this"
        )
        return Refusal("bootstrap_servers", message)
    if code in (_EXPIRED, _NOT_YET_VALID):
        message = f"the certificate of the broker at {servers} is out of date ({said}): renew it, or see to the clock"
        return Refusal("bootstrap_servers", message)
    file = security.get("ssl_cafile")
    trusted = f"{file} does not hold" if file else "this machine does not know"
    message = f"{trusted} the authority that made the broker's certificate ({said}): name the file of that authority"
    return Refusal("security.ssl_cafile", message)


def _handshake(error: ssl.SSLError, security: Mapping[str, str], servers: str) -> Refusal | None:
    """TLS ended with an alert of the broker, or there is no TLS at all."""
    reason = error.reason or ""
    if reason in (
        "WRONG_VERSION_NUMBER",
        "UNEXPECTED_EOF_WHILE_READING",
        "RECORD_LAYER_FAILURE",
        "HTTP_REQUEST",
    ):
        message = f"{servers} does not speak TLS: name the broker's TLS port, or write PLAINTEXT or SASL_PLAINTEXT"
        return Refusal("security.security_protocol", message)
    if "ALERT" not in reason:
        return None
    certificate = security.get("ssl_certfile")
    if "PROTOCOL_VERSION" in reason or ("HANDSHAKE_FAILURE" in reason and certificate):
        message = (
            f"the broker and this client have no version or cipher of TLS in common ({reason})"
        )
        return Refusal("security.security_protocol", message)
    if certificate is None:
        message = f"the broker at {servers} asks for a client certificate: name its file, and its key's in ssl_keyfile"
        return Refusal("security.ssl_certfile", message)
    message = (
        f"the broker refuses the certificate {certificate} ({reason.lower().replace('_', ' ')}): it is out of date, "
        f"or of an authority that the broker does not trust; `openssl x509 -noout -dates -issuer -in {certificate}` shows"
    )
    return Refusal("security.ssl_certfile", message)


def _wrong_credentials(security: Mapping[str, str]) -> Refusal:
    mechanism = security.get("sasl_mechanism")
    if mechanism == "OAUTHBEARER":
        message = "the broker refuses the token: it is out of date, or not made for this cluster"
        return Refusal(f"security.{_token_setting(security)}", message)
    user = security.get("sasl_plain_username", "")
    message = f"the broker refuses the user {user!r} with this password by {mechanism}: one of the three is wrong"
    return Refusal("security.sasl_plain_password", message)
