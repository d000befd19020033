import asyncio
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from streamproc.codecs import RegisteredSchema, Registry, SchemaType
from streamproc.codecs.decoded import Decoded
from streamproc.connectors.registry import RegistryClient, SchemaResolver, UnknownSchemaError
from streamproc.core import Duration, ExternalError

if TYPE_CHECKING:
    from streamproc.codecs.fields import FieldType

SCHEMA = RegisteredSchema("AVRO", "{}")


class Decoder:
    """Notes what it is told."""

    several = False
    kind: SchemaType = "AVRO"

    def __init__(self, registry: Registry) -> None:
        self.registry: Registry | None = registry
        self.fields: dict[str, FieldType] = {}
        self.told: dict[int, object] = {}
        self.forgotten = asyncio.Event()

    def missing(self, values: Iterable[bytes | None]) -> set[int]:
        return set()

    def decode(self, values: list[bytes | None]) -> Decoded:
        raise NotImplementedError(values)

    def learn(self, schema_id: int, schema: RegisteredSchema) -> None:
        self.told[schema_id] = schema

    def refuse(self, schema_id: int, why: str) -> None:
        self.told[schema_id] = why

    def forget(self, schema_id: int) -> None:
        del self.told[schema_id]
        self.forgotten.set()


class Client(RegistryClient):
    """Answers what it is given, in order; the last answer for ever."""

    def __init__(self, *answers: RegisteredSchema | Exception) -> None:
        super().__init__(Registry("http://127.0.0.1:1"), "k")
        self.answers = list(answers)
        self.asked = 0
        self.free = threading.Event()
        self.free.set()

    def schema(self, schema_id: int, kind: SchemaType) -> RegisteredSchema:
        self.asked += 1
        assert self.free.wait(30)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def away() -> ExternalError:
    return ExternalError("away", retriable=True)


async def resolved(client: Client, registry: Registry, *, times: int = 1) -> Decoder:
    decoder, known = Decoder(registry), asyncio.Event()
    resolver = SchemaResolver(decoder, client, known.set)
    for _ in range(times):
        resolver.ask([1])
    client.free.set()
    await asyncio.wait_for(known.wait(), 30)
    await resolver.close()
    return decoder


async def test_a_schema_is_asked_for_once_however_often_it_is_wanted() -> None:
    client = Client(SCHEMA)
    client.free.clear()
    decoder = await resolved(client, Registry("http://x"), times=3)
    assert decoder.told == {1: SCHEMA}
    assert client.asked == 1


async def test_a_registry_that_is_away_is_asked_again() -> None:
    client = Client(away(), away(), SCHEMA)
    decoder = await resolved(client, Registry("http://x"))
    assert decoder.told == {1: SCHEMA}


async def test_patience_ends_where_it_is_asked_for() -> None:
    options = Registry("http://x", unavailable="dead_letter", patience=Duration.parse("150ms"))
    decoder = await resolved(Client(away()), options)
    assert "away" in str(decoder.told[1])


async def test_what_nobody_knows_is_refused_at_once_and_forgotten_after_a_while() -> None:
    options = Registry("http://x", forget_unknown=Duration.parse("50ms"))
    decoder, known = Decoder(options), asyncio.Event()
    client = Client(UnknownSchemaError("does not know the schema"))
    resolver = SchemaResolver(decoder, client, known.set)
    resolver.ask([1])
    await asyncio.wait_for(known.wait(), 30)
    await asyncio.wait_for(decoder.forgotten.wait(), 30)
    assert client.asked == 1
    await resolver.close()


async def test_the_event_loop_goes_on_while_the_registry_is_asked() -> None:
    client = Client(SCHEMA)
    client.free.clear()
    decoder, known = Decoder(Registry("http://x")), asyncio.Event()
    resolver = SchemaResolver(decoder, client, known.set)
    resolver.ask([1])
    rounds = 0
    while client.asked == 0:
        await asyncio.sleep(0)
        rounds += 1
    assert rounds
    assert not known.is_set()
    client.free.set()
    await asyncio.wait_for(known.wait(), 30)
    await resolver.close()
