"""What the executor needs of a form of the protocol: two calls, both within a time."""

from dataclasses import dataclass
from typing import Protocol

from streamproc.core import Columns, TensorSpec

DEADLINE_HEADER = "x-deadline-ns"
"""The batch's first deadline, ns since 1970: for proxies and servers that look at it."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a server says of a model.

    Attributes:
        platform: what runs it there.
        versions: those that are there.
        inputs: without their first axis.
        outputs: without their first axis.
    """

    platform: str
    versions: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Transport(Protocol):
    """Asks one server about one model; is called from several threads at the same time."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        ...

    def describe(self, timeout_s: float) -> Described:
        """What the model is.

        Raises:
            RemoteError: see ``errors``.
        """
        ...

    def infer(self, inputs: Columns, *, timeout_s: float, deadline_ns: int | None) -> Columns:
        """The model's outputs.

        Args:
            inputs: by name, each [n, ...].
            timeout_s: how long the answer is worth waiting for.
            deadline_ns: the batch's, to be handed on; None where it has none.

        Raises:
            RemoteError: see ``errors``.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
