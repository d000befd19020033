"""Between the source and the engine: records wait there until the schemas that they name are known."""

from collections import deque
from collections.abc import Sequence

from streamproc.codecs import Decoded, SchemaDecoder
from streamproc.connectors.registry import RegistryClient, SchemaResolver, learn_now
from streamproc.core import RecordBatch
from streamproc.engine import Engine


class SchemaGate:
    """Lets batches through whose schemas are known, in the order in which they came.

    What is held is in nobody's books yet, and the engine is told not to believe the source's positions of it.

    Args:
        decoder: says what it is missing.
        engine: will be given the batches.
        resolver: finds out.
    """

    def __init__(self, decoder: SchemaDecoder, engine: Engine, resolver: SchemaResolver) -> None:
        self._decoder = decoder
        self._engine = engine
        self._resolver = resolver
        self._held: deque[tuple[RecordBatch, int | None]] = deque()

    @property
    def waits(self) -> bool:
        """Whether anything is held that cannot go on."""
        return bool(self._held) and bool(self._missing(self._held[0][0]))

    def passed(self, batches: Sequence[RecordBatch]) -> list[RecordBatch]:
        """What may go on of what was held and of these; what is returned must be in the engine's hands before anything else happens."""
        for batch in batches:
            self._held.append((batch, self._engine.assignment(batch.source)))
        ready: list[RecordBatch] = []
        while self._held:
            batch, assignment = self._held[0]
            missing = self._missing(batch)
            # A partition that left and came back is read again from where it is stored.
            stale = assignment != self._engine.assignment(batch.source)
            if missing and not stale:
                break
            self._held.popleft()
            if not stale:
                ready.append(batch)
        for batch, _ in self._held:
            self._resolver.ask(self._missing(batch))
        self._engine.withheld = frozenset(batch.source for batch, _ in self._held)
        return ready

    async def close(self) -> None:
        """Let go of what is held: it was never fetched, as the books see it."""
        await self._resolver.close()

    def _missing(self, batch: RecordBatch) -> set[int]:
        return self._decoder.missing(batch.value)


class LearningDecoder:
    """Asks the registry itself before it decodes: for replays and tests, whose time does not pass meanwhile.

    Args:
        decoder: decodes.
        client: is asked.
    """

    def __init__(self, decoder: SchemaDecoder, client: RegistryClient) -> None:
        self._decoder = decoder
        self._client = client
        self.several = decoder.several
        self.fields = decoder.fields

    def decode(self, values: list[bytes | None]) -> Decoded:
        """See ``Decoder``.

        Raises:
            ExternalError: the registry cannot be asked.
        """
        learn_now(self._decoder, self._client, self._decoder.missing(values))
        return self._decoder.decode(values)
