"""A whole service whose codec has a registry, over the broker in memory and a registry in this process."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typing_extensions import override

from streamproc.codecs import AvroCodec, RegisteredSchema, Registry, SchemaType, framed
from streamproc.connectors.kafka import KafkaSource
from streamproc.connectors.registry import RegistryClient, UnknownSchemaError
from streamproc.core import Duration, ExternalError, TopicPartition
from streamproc.testing import MemorySource
from tests.codecs.test_avro import record, written
from tests.runtime import test_transactions as transactions
from tests.runtime.test_recovery import StuckWorld
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


class Asked(MemorySource):
    """Counts how often it is asked where it is: before each commit."""

    times = 0

    @override
    async def positions(self) -> dict[TopicPartition, int]:
        self.times += 1
        return await super().positions()


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
    often = KafkaSource(
        topics=("ticks",), auto_offset_reset="earliest", commit_interval=Duration.parse("1ms")
    )
    world = World(codec=codec(), ends=False, source=often, kind=Asked)
    running = world.start()
    for n in range(10):
        send(world, n, partition=n % 2)
    await until(lambda: len(shelf.asked) > 2)
    before = world.source.times
    await until(lambda: world.source.times > before + 3)  # as often it could have been stored
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


async def test_a_pipeline_that_waits_for_schemas_is_not_taken_for_one_that_is_stuck(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamproc.runtime.recovery.LOOK_EVERY_S", 0.001)
    shelf.schemas, shelf.away = {1: known()}, True
    world = StuckWorld(codec=codec())
    running = world.start()
    send(world, 1)
    await until(lambda: bool(shelf.asked))
    send(world, 2)  # waits to be read, and is not
    looks = 0

    def looked_at_often() -> bool:
        nonlocal looks
        looks += 1
        world.jumping.lets_pass()
        return looks > 50

    await until(looked_at_often)
    assert world.source.rejoins == 0
    shelf.away = False
    await until(lambda: world.decided == 2)
    world.service.stop()
    await running


async def test_in_transactions_each_is_decided_once_though_partitions_left_while_it_waited(
    shelf: Shelf,
) -> None:
    shelf.schemas, shelf.away = {1: known()}, True
    world = transactions.World(ends=False, codec=codec())
    running = asyncio.create_task(world.run())
    for n in range(40):
        body = framed(1 + n % 2, written(SCHEMA, {"x": n}))  # nobody knows the second schema
        world.broker.produce("ticks", body, partition=n % 2)
    await until(lambda: bool(shelf.asked))
    await world.source.revoke([T0])
    await world.source.assign([T0])
    shelf.away = False
    await until(lambda: world.broker.committed("p") == {T0: 20, T1: 20})
    world.service.stop()
    summary = await running
    assert summary["reasons"] == {"unknown_schema": 20}
    world.audit()
