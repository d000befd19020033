"""What the contract suites have in common."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

LIMIT_S = 30.0
"""Of one check: joining a real group takes seconds, and a machine may be busy."""


def see(condition: bool, message: str) -> None:  # noqa: FBT001 - as in an assert statement
    """Raise where the condition does not hold.

    Raises:
        AssertionError: with the message.
    """
    if not condition:
        raise AssertionError(message)


@contextlib.asynccontextmanager
async def limited(what: str) -> AsyncIterator[None]:
    """Bound what is done inside to ``LIMIT_S``.

    Raises:
        AssertionError: it took longer.
    """
    try:
        async with asyncio.timeout(LIMIT_S):
            yield
    except TimeoutError:
        msg = f"{what} did not happen within {LIMIT_S:.0f} s"
        raise AssertionError(msg) from None
