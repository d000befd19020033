"""What a user can set of a model on another machine."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from streamproc.core import Duration
from streamproc.executors.isolated.options import Breaker

_PATH = re.compile(r"^(?:/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?)?/?$")
SCHEMES = ("http", "https", "grpc", "grpcs")


class Address(NamedTuple):
    """Where a model is served.

    Attributes:
        scheme: one of ``SCHEMES``.
        place: ``HOST:PORT``.
        model: its name there.
        version: of it; empty for the server's choice.
    """

    scheme: str
    place: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Remote:
    """A model on another machine: KServe, Triton, MLServer, or whatever speaks the Open Inference Protocol.

    Attributes:
        url: where it is: ``http://HOST:PORT/v2/models/NAME``, with ``/versions/VERSION`` behind it for one of several.
            ``grpc://`` speaks the protocol's other form; ``https`` and ``grpcs`` encrypt.
        replicas: further addresses of the same model, in the same form: asked where the first does not answer.
        protocol: the only one there is.
        timeout: how long an answer is waited for where no deadline is nearer.
        reserve: so long before a batch's first deadline its answer is given up: what is left is for a cheaper variant
            and for sending the decision.
        retries: how often a batch is asked again that could not be sent, or that the server was too busy for, while
            there is time.
        hedge: whether a batch is asked a second time, of the next replica where there is one, once 95 of 100 answers
            would have come; the first answer is taken.
        concurrency: how many batches are under way at the same time.
        headers: sent with each request, such as ``authorization``.
        breaker: when it is left alone for a while.
    """

    url: str
    replicas: Sequence[str] = ()
    protocol: Literal["oip-v2"] = "oip-v2"
    timeout: Duration = Duration.parse("1s")  # noqa: RUF009 - immutable
    reserve: Duration = Duration.parse("5ms")  # noqa: RUF009 - immutable
    retries: int = 1
    hedge: bool = False
    concurrency: int = 4
    headers: Mapping[str, str] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)

    def __post_init__(self) -> None:
        if self.timeout <= 0:
            msg = f"timeout must be above 0, was {self.timeout}"
            raise ValueError(msg)
        for name, least in (("retries", 0), ("reserve", 0), ("concurrency", 1)):
            if getattr(self, name) < least:
                msg = f"{name} must be at least {least}, was {getattr(self, name)}"
                raise ValueError(msg)
        for url in (self.url, *self.replicas):
            address_of(url)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the model is, the first one first."""
        return tuple(map(address_of, (self.url, *self.replicas)))


def address_of(url: str) -> Address:
    """An address's parts.

    Raises:
        ValueError: it is none of a model.
    """
    parts = urlsplit(url)
    found = _PATH.match(parts.path)
    if parts.scheme not in SCHEMES or not parts.netloc or found is None or not found["model"]:
        msg = f"must be http://HOST:PORT/v2/models/NAME, or grpc://..., was {url!r}"
        raise ValueError(msg)
    return Address(parts.scheme, parts.netloc, found["model"], found["version"] or "")
