"""Where the schema of the decisions is: registered where that is wanted, else looked for, before anything runs."""

import asyncio
import json
from typing import Any

import pytest

from streamproc.codecs import AvroDecisions, ProtobufDecisions, Registry
from streamproc.codecs.decision_form import AVRO, PROTO
from streamproc.connectors.files import FileSink
from streamproc.core import ConfigError, ExternalError
from streamproc.runtime.decision_schemas import ask_for_decision_schema, decision_schema_id
from streamproc.testing import PipelineTest
from tests.engine.pipelines import pipeline
from tests.support.registry import RegistryServer

KINDS = pytest.mark.parametrize(
    ("kind", "text"), [(AvroDecisions, json.dumps(AVRO)), (ProtobufDecisions, PROTO)]
)


@KINDS
def test_it_is_registered_for_its_topic_where_that_is_wanted(kind: Any, text: str) -> None:
    with RegistryServer(authorization="Bearer t").serving() as registry:
        where = Registry(registry.url, security={"bearer_token": "t"})
        config = pipeline(decisions=kind(where, auto_register=True))
        assert decision_schema_id(config) == 0
        asyncio.run(ask_for_decision_schema(config))
        assert registry.registered == {("decisions-value", text): 100}
        assert decision_schema_id(config) == 100
        # Now another pipeline finds it, and registers nothing.
        asyncio.run(ask_for_decision_schema(pipeline(decisions=kind(where))))
        assert len(registry.registered) == 1
        assert registry.asked == ["/subjects/decisions-value/versions", "/subjects/decisions-value"]


@KINDS
def test_else_it_must_be_there(kind: Any, text: str) -> None:
    with RegistryServer().serving() as registry:
        with pytest.raises(ConfigError, match="decisions-value in the registry has not"):
            asyncio.run(ask_for_decision_schema(pipeline(decisions=kind(Registry(registry.url)))))
        assert not registry.registered
        # Looking, as `check` does, registers nothing, whatever is wanted.
        wanted = pipeline(decisions=kind(Registry(registry.url), auto_register=True))
        asyncio.run(ask_for_decision_schema(wanted, register=False))
        assert not registry.registered


@pytest.mark.parametrize(("status", "text"), [(409, "refuses the schema: not like this"), (500, "status 500")])  # fmt: skip
def test_a_registry_that_refuses_says_why(status: int, text: str) -> None:
    with RegistryServer(status=status).serving() as registry:
        config = pipeline(decisions=AvroDecisions(Registry(registry.url), auto_register=True))
        with pytest.raises(ExternalError, match=text):
            asyncio.run(ask_for_decision_schema(config))


def test_files_have_no_such_schema() -> None:
    config = pipeline(
        decisions=AvroDecisions(Registry("http://127.0.0.1:1")), sink=FileSink(path="d.jsonl")
    )
    with pytest.raises(ConfigError, match=r"use sink\.kafka"):
        asyncio.run(ask_for_decision_schema(config))


@pytest.mark.parametrize("kind", [AvroDecisions, ProtobufDecisions])
def test_tests_and_replays_ask_nobody(kind: Any) -> None:
    test = PipelineTest(pipeline(decisions=kind(Registry("http://127.0.0.1:1"))))
    test.send("ticks", {"x": 2.0}, key="k")
    (decision,) = test.run().decisions
    assert (decision.id, decision.key, decision.outcome) == ("ticks/0/0", "k", "on_time")
    (record,) = test.broker.records("decisions")
    assert record.value is not None
    assert record.value[:5] == b"\0\0\0\0\0"
