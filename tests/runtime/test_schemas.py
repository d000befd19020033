"""A whole service whose codec has a registry, over the broker in memory and a registry in this process."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from streamproc.codecs import AvroCodec, RegisteredSchema, Registry, SchemaType, framed
from streamproc.connectors.registry import RegistryClient, UnknownSchemaError
from streamproc.core import Duration, ExternalError
from tests.codecs.test_avro import record, written
from tests.runtime.test_service import T0, T1, World, short_polls, until

__all__ = ["short_polls"]

SCHEMA = record(("x", "double"))


class Shelf:
    """What the registry knows, and whether it answers."""

    def __init__(self) -> None:
        self.schemas: dict[int, RegisteredSchema] = {}
        self.away = False
        self.asked: list[int] = []


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """What ``RegistryClient`` finds."""
    found = Shelf()

    def schema(_: RegistryClient, schema_id: int, kind: SchemaType) -> RegisteredSchema:
        found.asked.append(schema_id)
        if found.away:
            msg = "away"
            raise ExternalError(msg, retriable=True)
        if schema_id not in found.schemas:
            msg = "does not know the schema"
            raise UnknownSchemaError(msg)
        assert found.schemas[schema_id].kind == kind
        return found.schemas[schema_id]

    monkeypatch.setattr(RegistryClient, "schema", schema)
    monkeypatch.setattr("streamproc.connectors.registry.resolver._PAUSE_S", 0.005)
    return found


def codec(**registry: Any) -> AvroCodec:
    return AvroCodec({"x": "float64"}, Registry("http://127.0.0.1:1", **registry))


def known() -> RegisteredSchema:
    return RegisteredSchema("AVRO", json.dumps(SCHEMA))


def send(world: World, x: float, *, schema: int = 1, partition: int = 0) -> None:
    world.broker.produce("ticks", framed(schema, written(SCHEMA, {"x": x})), partition=partition)


async def test_schemas_are_asked_for_once_and_what_nobody_knows_is_a_dead_letter(
    shelf: Shelf,
) -> None:
    shelf.schemas = {1: known(), 2: known()}
    world = World(codec=codec())
    for n in range(30):
        send(world, n, schema=1 + n % 3, partition=n % 2)
    summary = await world.run()
    assert summary["outcomes"]["on_time"] == 20
    assert summary["reasons"]["unknown_schema"] == 10
    assert sorted(shelf.asked) == [1, 2, 3]
    assert world.committed == {T0: 15, T1: 15}


async def test_a_registry_that_is_away_delays_and_no_position_is_stored_meanwhile(
    shelf: Shelf,
) -> None:
    shelf.schemas, shelf.away = {1: known()}, True
    world = World(codec=codec(), ends=False)
    running = world.start()
    for n in range(10):
        send(world, n, partition=n % 2)
    await until(lambda: len(shelf.asked) > 2)
    await world.service._commit()
    assert not any(world.committed.values())
    assert not world.decided
    shelf.away = False
    await until(lambda: world.decided == 10)
    world.service.stop()
    summary = await running
    assert summary["consumed"] == 10
    assert world.committed == {T0: 5, T1: 5}


async def test_stopped_while_it_waits_it_leaves_what_it_held_to_others(shelf: Shelf) -> None:
    shelf.away = True
    world = World(codec=codec(), ends=False)
    running = world.start()
    send(world, 1)
    await until(lambda: bool(shelf.asked))
    world.service.stop()
    summary = await running
    assert summary["consumed"] == 0
    assert not any(world.committed.values())


async def test_after_its_patience_what_waits_becomes_dead_letters(shelf: Shelf) -> None:
    shelf.away = True
    options = {"unavailable": "dead_letter", "patience": Duration.parse("50ms")}
    world = World(codec=codec(**options))
    send(world, 1)
    send(world, 2)
    summary = await world.run()
    assert summary["reasons"] == {"unknown_schema": 2}
    (letter, _) = world.broker.records("p.dlq")
    assert letter.value is not None


async def test_what_was_held_of_a_partition_that_left_and_came_back_is_read_again_and_not_twice(
    shelf: Shelf,
) -> None:
    shelf.schemas, shelf.away = {1: known()}, True
    world = World(codec=codec(), ends=False)
    running = world.start()
    for n in range(4):
        send(world, n)
    await until(lambda: bool(shelf.asked))
    await asyncio.wait_for(world.source.revoke([T0]), 5)
    await world.source.assign([T0])
    shelf.away = False
    await until(lambda: world.decided >= 4)
    world.service.stop()
    summary = await running
    assert summary["outcomes"]["on_time"] == 4
    assert world.committed[T0] == 4
