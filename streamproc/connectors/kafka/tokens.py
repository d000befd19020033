"""Where the tokens of SASL OAUTHBEARER come from.

aiokafka asks for a token at each connection. A broker closes a connection when its token has expired
(``connections.max.reauth.ms``); the client connects anew, with the token that there is then.
"""

import asyncio
import base64
import binascii
import ssl
from pathlib import Path
from typing import Final

import msgspec
import urllib3
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from streamproc.core import NS_PER_S, Clock, SystemClock

_TOKEN_BYTES_MAX: Final = 64 * 1024
_ANSWER_TIMEOUT_S: Final = 10.0
_LIFE_USED: Final = 0.8
"""A token is fetched anew when so much of its life is over: the rest is for an endpoint that is slow or away."""
_LIFE_UNKNOWN_S: Final = 60.0
"""How long a token is used whose endpoint does not say how long it lives."""
_LIFE_MAX_S: Final = 86_400.0


class TokenError(KafkaConnectionError):  # type: ignore[misc]
    """There is no token to be had; trying again may help."""


class TokenText(AbstractTokenProvider):  # type: ignore[misc]
    """A token that never changes.

    Args:
        text: the token.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    async def token(self) -> str:
        """The token."""
        return _plain(self._text, "the token")


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """A token in a file that somebody keeps fresh; it is read for each connection.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    async def token(self) -> str:
        """What the file holds now.

        Raises:
            TokenError: it cannot be read, or holds no token.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        try:
            with Path(self._path).open("rb") as file:
                text = file.read(_TOKEN_BYTES_MAX + 1).decode("ascii").strip()
        except OSError as error:
            msg = f"the token's file {self._path} cannot be read: {error.strerror or error}"
            raise TokenError(msg) from error
        except UnicodeDecodeError:
            text = ""
        return _plain(text, f"the token's file {self._path}")


class _Answer(msgspec.Struct, frozen=True):
    """What an OAuth 2 endpoint answers (RFC 6749, 5.1)."""

    access_token: str
    expires_in: float | None = None


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens of an OAuth 2 endpoint, by the client credentials grant (RFC 6749, 4.4).

    Args:
        url: the endpoint.
        client_id: who asks.
        client_secret: proves it.
        scope: what the token is for; None leaves it to the endpoint.
        trust: what an ``https://`` endpoint is trusted by.
        clock: tells when a token is old.
    """

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        scope: str | None,
        trust: ssl.SSLContext,
        clock: Clock | None = None,
    ) -> None:
        self._url = url
        self._headers = urllib3.make_headers(basic_auth=f"{client_id}:{client_secret}")
        self._fields = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._trust = trust
        self._clock = clock or SystemClock()
        self._token = ""
        self._fresh_until_ns = 0
        self._asking: asyncio.Lock | None = None

    async def token(self) -> str:
        """The token that was given last, or a new one where that is old.

        Raises:
            TokenError: the endpoint gives none.
        """
        if self._asking is None:
            self._asking = asyncio.Lock()  # of the loop that runs
        async with self._asking:
            if self._clock.now_ns() >= self._fresh_until_ns:
                token, life_s = await asyncio.to_thread(self._ask)
                self._token = token
                used_ns = int(min(life_s, _LIFE_MAX_S) * _LIFE_USED * NS_PER_S)
                self._fresh_until_ns = self._clock.now_ns() + used_ns
            return self._token

    def _ask(self) -> tuple[str, float]:
        """A new token, and how long it lives (s)."""
        try:
            with urllib3.PoolManager(ssl_context=self._trust) as pool:
                answer = pool.request(
                    "POST",
                    self._url,
                    fields=self._fields,
                    encode_multipart=False,
                    headers=self._headers,
                    timeout=_ANSWER_TIMEOUT_S,
                    retries=False,
                    redirect=False,  # the secret goes where the configuration says, and nowhere else
                    preload_content=False,
                )
                try:
                    body = answer.read(_TOKEN_BYTES_MAX + 1)
                finally:
                    answer.close()
        except urllib3.exceptions.HTTPError as error:
            msg = f"the token's endpoint {self._url} does not answer: {type(error).__name__}"
            raise TokenError(msg) from error
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            msg = f"the token's endpoint {self._url} refuses with status {answer.status}"
            raise TokenError(msg)
        try:
            given = msgspec.json.decode(body, type=_Answer)
        except msgspec.MsgspecError:
            msg = f"the token's endpoint {self._url} answers without an access_token"
            raise TokenError(msg) from None
        token = _plain(given.access_token, f"the answer of {self._url}")
        return token, given.expires_in or self._life_s(token)

    def _life_s(self, token: str) -> float:
        """How long a JWT says it lives (RFC 7519, ``exp``)."""
        try:
            claims = token.split(".")[1]
            body = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
            expires_s = msgspec.json.decode(body)["exp"]
            return max(float(expires_s) - self._clock.now_ns() / NS_PER_S, 0.0)
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error, msgspec.MsgspecError):
            return _LIFE_UNKNOWN_S


def _plain(token: str, what: str) -> str:
    """The token, if it is one: what RFC 6750 allows has no control characters, which would end the message.

    Raises:
        TokenError: it is none.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        msg = f"{what} holds no token"
        raise TokenError(msg)
    return token
