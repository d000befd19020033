"""Between the source and the engine: records wait there until the schemas that they name are known."""

from collections import deque
from collections.abc import Mapping, Sequence

from streamproc.codecs import Decoded, Decoder, Decoders, SchemaDecoder, TopicDecoders
from streamproc.connectors.registry import RegistryClient, SchemaResolver, learn_now
from streamproc.core import RecordBatch
from streamproc.engine import Engine

_CODECS = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json_schema"}


def client_of(decoder: SchemaDecoder) -> RegistryClient | None:
    """Who is asked for a decoder's schemas; None where it needs none.

    Raises:
        ConfigError: the registry's settings do not fit.
    """
    if decoder.registry is None:
        return None
    return RegistryClient(decoder.registry, f"codec.{_CODECS[decoder.kind]}.registry")


class SchemaGate:
    """Lets batches through whose schemas are known, in the order in which they came.

    What is held is in nobody's books yet, and the engine is told not to believe the source's positions of it.

    Args:
        engine: will be given the batches.
        resolvers: by topic, who says what is missing and finds out; topics that are not there need no schemas, and
            the one that None stands for is all the others.
    """

    def __init__(self, engine: Engine, resolvers: Mapping[str | None, SchemaResolver]) -> None:
        self._engine = engine
        self._resolvers = resolvers
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
            resolver = self._resolver_of(batch)
            if resolver is not None:
                resolver.ask(self._missing(batch))
        self._engine.withheld = frozenset(batch.source for batch, _ in self._held)
        return ready

    async def close(self) -> None:
        """Let go of what is held: it was never fetched, as the books see it."""
        for resolver in self._resolvers.values():
            await resolver.close()

    def _resolver_of(self, batch: RecordBatch) -> SchemaResolver | None:
        return self._resolvers.get(batch.source.topic, self._resolvers.get(None))

    def _missing(self, batch: RecordBatch) -> set[int]:
        resolver = self._resolver_of(batch)
        return set() if resolver is None else resolver.missing(batch.value)


def learning(decoders: Decoders) -> Decoders:
    """The same decoders, asking their registries themselves where they have one.

    Raises:
        ConfigError: a registry's settings do not fit.
    """
    if isinstance(decoders, TopicDecoders):
        decoders.learning(_learning)
        return decoders
    return _learning(decoders)


def _learning(decoder: Decoder) -> Decoder:
    client = client_of(decoder) if isinstance(decoder, SchemaDecoder) else None
    if client is None or not isinstance(decoder, SchemaDecoder):
        return decoder
    return LearningDecoder(decoder, client)


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
