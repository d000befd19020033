"""Asks a schema registry, one request at a time; blocks, so it is called on a thread."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import urllib3

from streamproc.codecs import RegisteredSchema, Registry, SchemaType
from streamproc.connectors.registry.protoc import as_serialised
from streamproc.core import NS_PER_S, ConfigError, ExternalError, Problem

SETTINGS: Final = (
    "username",
    "password",
    "bearer_token",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
)
"""All there are of ``security``."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ANSWER_BYTES_MAX: Final = 4 << 20
_REFERENCES_MAX: Final = 256
_NOT_FOUND: Final = {40401: "subject", 40402: "version", 40403: "schema"}
"""The registry's own codes; a 404 without one is of somebody else, such as a proxy or a wrong path."""
_UNFIT: Final = (409, 422)
"""A schema that does not go with those before it in its subject, or is none."""
_CONTENT: Final = "application/vnd.schemaregistry.v1+json"
_ACCEPT: Final = "application/vnd.schemaregistry.v1+json, application/json"


class UnknownSchemaError(ExternalError):
    """The registry answers that it does not know what was asked for."""


class _Reference(msgspec.Struct, frozen=True):
    name: str
    subject: str
    version: int


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    """What ``/schemas/ids/ID`` and ``/subjects/SUBJECT/versions/VERSION`` answer."""

    schema: str
    schema_type: str = "AVRO"
    references: list[_Reference] | None = None


class _Registered(msgspec.Struct, frozen=True):
    """What ``/subjects/SUBJECT`` and ``/subjects/SUBJECT/versions`` answer to a schema."""

    id: int


class _Refused(msgspec.Struct, frozen=True):
    error_code: int = 0
    message: str = ""


_Form = TypeVar("_Form", _Answer, _Registered)


class RegistryClient:
    """One registry.

    Args:
        options: where it is, and how it is asked.
        key: the configuration's key, for messages.

    Raises:
        ConfigError: the settings do not fit, or a certificate cannot be read.
    """

    def __init__(self, options: Registry, key: str) -> None:
        found = [Problem(text, f"{key}.{name}") for name, text in registry_problems(options)]
        if found:
            raise ConfigError(*found)
        self._urls = [url.strip().rstrip("/") for url in options.url.split(",")]
        self._timeout_s = int(options.timeout) / NS_PER_S
        self._headers = {"accept": _ACCEPT, **_authorization(options.security)}
        self._pool = urllib3.PoolManager(
            num_pools=8, maxsize=4, ssl_context=_trust(options.security, f"{key}.security")
        )

    def schema(self, schema_id: int, kind: SchemaType) -> RegisteredSchema:
        """A schema with all that it refers to.

        Args:
            schema_id: its id.
            kind: the language that is expected; Protobuf is asked for in its serialised form.

        Raises:
            UnknownSchemaError: the registry does not know it.
            ExternalError: it cannot be asked.
        """
        answer = self._get(f"/schemas/ids/{schema_id}", kind)
        references = self._referred(answer, kind)
        found = _kind_of(answer)
        if found != "PROTOBUF":
            texts = {name: other.schema for name, other in references.items()}
            return RegisteredSchema(found, answer.schema, tuple(texts.items()))
        texts = {name: other.schema for name, other in references.items()}
        main, files = as_serialised(answer.schema, texts)
        return RegisteredSchema(found, main, files)

    def id_of(self, subject: str, text: str, kind: SchemaType, *, register: bool) -> int:
        """The id under which a schema stands in a subject.

        Args:
            subject: such as ``decisions-value``.
            text: the schema.
            kind: its language.
            register: whether it is put there where it is not.

        Raises:
            UnknownSchemaError: it is not there.
            ExternalError: the registry cannot be asked, or refuses the schema.
        """
        path = f"/subjects/{quote(subject, safe='')}" + ("/versions" if register else "")
        said = msgspec.json.encode({"schema": text, "schemaType": kind})
        answer = self._of_any(lambda url: self._ask(url, path, {}, said))
        return _read(answer, _Registered).id

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def _referred(self, answer: _Answer, kind: SchemaType) -> dict[str, _Answer]:
        """What a schema refers to by name, each behind what it refers to itself."""
        found: dict[str, _Answer] = {}
        asked: set[str] = set()

        def follow(of: _Answer) -> None:
            for reference in of.references or ():
                if reference.name in asked:
                    continue
                asked.add(reference.name)
                if len(asked) > _REFERENCES_MAX:
                    msg = f"a schema with more than {_REFERENCES_MAX} references"
                    raise UnknownSchemaError(msg)
                subject = quote(reference.subject, safe="")
                inner = self._get(f"/subjects/{subject}/versions/{reference.version}", kind)
                follow(inner)
                found[reference.name] = inner

        follow(answer)
        return found

    def _get(self, path: str, kind: SchemaType) -> _Answer:
        fields = {"deleted": "true"} if path.startswith("/subjects") else {}
        if kind == "PROTOBUF":
            fields["format"] = "serialized"
        return _read(self._of_any(lambda url: self._ask(url, path, fields)), _Answer)

    def _of_any(self, ask: Callable[[str], bytes]) -> bytes:
        """What the first registry answers that does."""
        failures: list[str] = []
        for url in self._urls:
            try:
                return ask(url)
            except UnknownSchemaError:
                raise
            except ExternalError as error:
                failures.append(str(error))
        raise ExternalError("; ".join(failures), retriable=True)

    def _ask(
        self, url: str, path: str, fields: Mapping[str, str], said: bytes | None = None
    ) -> bytes:
        """What is answered to a question, or to what is said."""
        headers = self._headers if said is None else {**self._headers, "content-type": _CONTENT}
        try:
            answer = self._pool.request(
                "GET" if said is None else "POST",
                url + path,
                **({"fields": dict(fields)} if said is None else {"body": said}),
                headers=headers,
                timeout=self._timeout_s,
                retries=False,
                redirect=False,  # credentials go where the configuration says, and nowhere else
                preload_content=False,
            )
            try:
                body = answer.read(_ANSWER_BYTES_MAX + 1)
                if len(body) <= _ANSWER_BYTES_MAX:
                    answer.drain_conn()
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            msg = f"the schema registry {url} does not answer: {type(error).__name__}"
            raise ExternalError(msg, retriable=True) from error
        if len(body) > _ANSWER_BYTES_MAX:
            msg = f"the schema registry {url} answers with more than {_ANSWER_BYTES_MAX} bytes"
            raise UnknownSchemaError(msg)
        if answer.status == 200:  # noqa: PLR2004 - HTTP's OK
            return body
        raise _refused(answer.status, body, url)


def registry_problems(options: Registry) -> Iterator[tuple[str, str]]:
    """What is wrong with a registry's settings, without opening a file: the setting, and what to do."""
    security = options.security
    for name in security:
        if name not in SETTINGS:
            yield f"security.{name}", f"is not known: there are {', '.join(SETTINGS)}"
    if ("username" in security) != ("password" in security):
        missing = "password" if "username" in security else "username"
        yield f"security.{missing}", "is missing: username and password belong together"
    if "bearer_token" in security and "username" in security:
        yield "security.bearer_token", "write it, or username and password"
    if "ssl_keyfile" in security and "ssl_certfile" not in security:
        yield (
            "security.ssl_certfile",
            "is missing: name the certificate that ssl_keyfile belongs to",
        )
    secret = "bearer_token" in security or "password" in security
    for url in options.url.split(","):
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield "url", "must be http://HOST:PORT or https://HOST:PORT"
        elif parts.username is not None or parts.password is not None:
            yield "url", "must hold no credentials: write them as security.username and password"
        elif secret and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            yield "url", "must be https://: it is told a secret"


def _authorization(security: Mapping[str, str]) -> dict[str, str]:
    if "bearer_token" in security:
        return {"authorization": f"Bearer {security['bearer_token']}"}
    if "username" in security:
        both = f"{security['username']!s}:{security['password']!s}"
        return urllib3.make_headers(basic_auth=both)
    return {}


def _trust(security: Mapping[str, str], key: str) -> ssl.SSLContext:
    name = "ssl_cafile"
    try:
        context = ssl.create_default_context(cafile=security.get(name))
        if "ssl_certfile" in security:
            name = "ssl_certfile"
            context.load_cert_chain(security[name], security.get("ssl_keyfile"))
    except OSError as error:
        raise ConfigError(Problem(f"cannot be read: {error}", f"{key}.{name}")) from None
    return context


def _read(body: bytes, form: type[_Form]) -> _Form:
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.MsgspecError:
        msg = "the schema registry answers as none does"
        raise ExternalError(msg, retriable=True) from None


def _refused(status: int, body: bytes, url: str) -> ExternalError:
    try:
        said = msgspec.json.decode(body, type=_Refused)
    except msgspec.MsgspecError:
        said = _Refused()
    if status == 404 and said.error_code in _NOT_FOUND:  # noqa: PLR2004 - HTTP's not found
        name = _NOT_FOUND[said.error_code]
        return UnknownSchemaError(f"the schema registry does not know the {name}")
    if status in _UNFIT:
        return ExternalError(f"the schema registry {url} refuses the schema: {said.message[:200]}")
    why = {401: ": wrong credentials", 403: ": not allowed"}.get(status, "")
    msg = f"the schema registry {url} refuses with status {status}{why}"
    return ExternalError(msg, retriable=True)


def _kind_of(answer: Any) -> SchemaType:  # noqa: ANN401
    match answer.schema_type:
        case "AVRO" | "PROTOBUF" | "JSON" as kind:
            found: SchemaType = kind
            return found
        case _:
            pass
    msg = f"a schema of type {answer.schema_type!r}"
    raise UnknownSchemaError(msg)
