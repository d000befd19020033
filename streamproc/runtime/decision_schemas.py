"""Under which id the registry has the schema of the decisions: asked for once, before the first of them."""

import asyncio
import json
from typing import Final, NamedTuple

from streamproc.codecs import AvroDecisions, ProtobufDecisions, SchemaType
from streamproc.codecs.decision_form import AVRO, PROTO
from streamproc.config import PipelineConfig
from streamproc.connectors.kafka import KafkaSink
from streamproc.connectors.registry import RegistryClient, UnknownSchemaError
from streamproc.core import ConfigError, Problem

NOBODY_ASKED: Final = 0
"""The id in what replays and tests write: they register nothing, and who reads the form needs no registry."""


class Subject(NamedTuple):
    """Where the schema is.

    Attributes:
        url: the registry.
        name: of the subject.
        kind: the schema's language.
    """

    url: str
    name: str
    kind: SchemaType


# What an id stands for never changes, so what was learned once is true for every reload.
_ids: dict[Subject, int] = {}


def subject_of(config: PipelineConfig) -> Subject | None:
    """The subject of the decisions' schema: the topic's, as Confluent's clients name it; None where there is none."""
    decisions = config.decisions
    if not isinstance(decisions, AvroDecisions | ProtobufDecisions):
        return None
    if not isinstance(config.sink, KafkaSink):
        text = "have a schema of their topic: use sink.kafka"
        raise ConfigError(Problem(text, "decisions"))
    kind: SchemaType = "AVRO" if isinstance(decisions, AvroDecisions) else "PROTOBUF"
    return Subject(decisions.registry.url, f"{config.sink.topic}-value", kind)


def decision_schema_id(config: PipelineConfig) -> int:
    """The id, as far as it was asked for."""
    subject = subject_of(config)
    return NOBODY_ASKED if subject is None else _ids.get(subject, NOBODY_ASKED)


async def ask_for_decision_schema(config: PipelineConfig, *, register: bool = True) -> None:
    """Ask the registry, and register the schema where that is wanted; on a thread.

    Args:
        config: the pipeline.
        register: False to look only, whatever the configuration says.

    Raises:
        ConfigError: the schema is not there, and is not to be registered; or the settings do not fit.
        ExternalError: the registry cannot be asked, or refuses the schema.
    """
    subject, decisions = subject_of(config), config.decisions
    if subject is None or not isinstance(decisions, AvroDecisions | ProtobufDecisions):
        return
    name = "avro" if isinstance(decisions, AvroDecisions) else "protobuf"
    text = json.dumps(AVRO) if name == "avro" else PROTO
    client = RegistryClient(decisions.registry, f"decisions.{name}.registry")
    wanted = register and decisions.auto_register
    try:
        _ids[subject] = await asyncio.to_thread(
            client.id_of, subject.name, text, subject.kind, register=wanted
        )
    except UnknownSchemaError:
        if not register and decisions.auto_register:
            return
        what = (
            f"{subject.name} in the registry has not the schema of decisions: write true, or register it "
            f"(`streamproc schema decision-{name}` prints it)"
        )
        raise ConfigError(Problem(what, f"decisions.{name}.auto_register")) from None
    finally:
        client.close()
