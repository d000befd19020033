"""Asks for what a decoder has not met: once for each schema, again and again while the registry is away."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from streamproc.codecs import SchemaDecoder
from streamproc.connectors.registry.client import RegistryClient, UnknownSchemaError
from streamproc.core import NS_PER_S, ExternalError

log = logging.getLogger(__name__)

_PAUSE_S: Final = 0.1
_PAUSE_MAX_S: Final = 5.0
_TOGETHER: Final = 4
"""Requests at a time: a topic's first poll may name many schemas."""
_SAID_EVERY_S: Final = 30.0


class SchemaResolver:
    """Tells a decoder what it is missing; lives on the event loop, and asks on threads.

    Args:
        decoder: is told.
        client: is asked.
        settled: is called each time that something is known.
    """

    def __init__(
        self, decoder: SchemaDecoder, client: RegistryClient, settled: Callable[[], None]
    ) -> None:
        if decoder.registry is None:
            msg = "the codec has no registry"
            raise ValueError(msg)
        self._decoder = decoder
        self._client = client
        self._settled = settled
        self._options = decoder.registry
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._at_a_time = asyncio.Semaphore(_TOGETHER)
        self._forgetting: set[asyncio.TimerHandle] = set()

    def missing(self, values: Iterable[bytes | None]) -> set[int]:
        """The ids in these values of which nothing is known."""
        return self._decoder.missing(values)

    def ask(self, schema_ids: Iterable[int]) -> None:
        """See that these become known; those that are asked for already are not asked for twice."""
        for schema_id in schema_ids:
            if schema_id not in self._asking:
                task = asyncio.get_running_loop().create_task(self._resolve(schema_id))
                self._asking[schema_id] = task

    async def close(self) -> None:
        """Ask no more."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for timer in self._forgetting:
            timer.cancel()
        self._client.close()

    async def _resolve(self, schema_id: int) -> None:
        try:
            await self._until_known(schema_id)
        finally:
            del self._asking[schema_id]
        self._settled()

    async def _until_known(self, schema_id: int) -> None:
        loop = asyncio.get_running_loop()
        began_s = said_s = loop.time()
        pause_s = _PAUSE_S
        patience_s = int(self._options.patience) / NS_PER_S
        while True:
            try:
                async with self._at_a_time:
                    found = await asyncio.to_thread(
                        self._client.schema, schema_id, self._decoder.kind
                    )
            except UnknownSchemaError as error:
                self._refuse(schema_id, str(error))
                return
            except ExternalError as error:
                waited_s = loop.time() - began_s
                if not error.retriable or (
                    self._options.unavailable == "dead_letter" and waited_s >= patience_s
                ):
                    self._refuse(schema_id, f"{error} (asked for {waited_s:.0f} s)")
                    return
                if pause_s == _PAUSE_S or loop.time() - said_s >= _SAID_EVERY_S:
                    said_s = loop.time()
                    log.warning("schema %d: %s; asking again, the pipeline waits", schema_id, error)
                if self._options.unavailable == "dead_letter":
                    pause_s = min(pause_s, max(patience_s - waited_s, _PAUSE_S / 10))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _PAUSE_MAX_S)
            else:
                self._decoder.learn(schema_id, found)
                return

    def _refuse(self, schema_id: int, why: str) -> None:
        log.warning("schema %d: %s; its records become dead letters", schema_id, why)
        self._decoder.refuse(schema_id, why)
        loop = asyncio.get_running_loop()
        forget_s = int(self._options.forget_unknown) / NS_PER_S
        timer: asyncio.TimerHandle

        def forget() -> None:
            self._forgetting.discard(timer)
            self._decoder.forget(schema_id)

        timer = loop.call_later(forget_s, forget)
        self._forgetting.add(timer)


def learn_now(decoder: SchemaDecoder, client: RegistryClient, schema_ids: Iterable[int]) -> None:
    """See that these are known, here and now: for replays, whose time does not pass meanwhile.

    Raises:
        ExternalError: the registry cannot be asked.
    """
    for schema_id in schema_ids:
        try:
            decoder.learn(schema_id, client.schema(schema_id, decoder.kind))
        except UnknownSchemaError as error:
            decoder.refuse(schema_id, str(error))
