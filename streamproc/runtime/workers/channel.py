"""Whole messages between a parent and its worker, over a pair of sockets."""

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator
from typing import Final, Self

_LENGTH_BYTES: Final = 4
_CLOSE_S: Final = 1.0
"""How long the last message may wait for an other side that does not read."""


class Channel:
    """One side of the pair; belongs to one event loop, which it never holds up.

    Args:
        reader: of our socket.
        writer: of our socket.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take one end of a ``socketpair``; it is closed with the channel."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    @property
    def is_clear(self) -> bool:
        """True where nothing waits here to be sent: the other side keeps up."""
        return self._writer.transport.get_write_buffer_size() == 0

    def tell(self, message: object) -> None:
        """Send a message; one to a side that is gone is lost."""
        if not self._writer.is_closing():
            content = pickle.dumps(message)
            self._writer.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)

    async def messages(self) -> AsyncIterator[object]:
        """What the other side says, until it is gone."""
        while True:
            try:
                length = await self._reader.readexactly(_LENGTH_BYTES)
                content = await self._reader.readexactly(int.from_bytes(length, "big"))
            except (asyncio.IncompleteReadError, OSError):  # also in the middle of a message
                return
            yield pickle.loads(content)  # noqa: S301 - of a process of our own

    async def close(self) -> None:
        """Send what still waits, for a short while, and close."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                self._writer.close()
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self._writer.transport.abort()
