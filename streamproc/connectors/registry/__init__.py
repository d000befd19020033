"""Schema registries with Confluent's API: asked for schemas by id."""

from streamproc.connectors.registry.client import (
    RegistryClient,
    UnknownSchemaError,
    registry_problems,
)
from streamproc.connectors.registry.protoc import compile_proto
from streamproc.connectors.registry.resolver import SchemaResolver, learn_now

__all__ = [
    "RegistryClient",
    "SchemaResolver",
    "UnknownSchemaError",
    "compile_proto",
    "learn_now",
    "registry_problems",
]
