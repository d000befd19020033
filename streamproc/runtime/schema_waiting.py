"""A service's gate for schemas: made where the codec has a registry."""

from streamproc.codecs import SchemaDecoder
from streamproc.connectors.registry import RegistryClient, SchemaResolver
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.driver import Driver
from streamproc.runtime.schemas import SchemaGate


def schema_gate(assembly: Assembly, driver: Driver) -> SchemaGate | None:
    """What holds records back until their schemas are known; None where the codec asks no registry.

    Raises:
        ConfigError: the registry's settings do not fit.
    """
    decoder = assembly.decoder
    if not isinstance(decoder, SchemaDecoder) or decoder.registry is None:
        return None
    client = RegistryClient(decoder.registry, f"codec.{decoder.kind.lower()}.registry")
    return SchemaGate(decoder, assembly.engine, SchemaResolver(decoder, client, driver.told))
