"""A service's gate for schemas: made where a codec has a registry."""

from streamproc.codecs import SchemaDecoder, TopicDecoders
from streamproc.connectors.registry import SchemaResolver
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.driver import Driver
from streamproc.runtime.schemas import SchemaGate, client_of


def schema_gate(assembly: Assembly, driver: Driver) -> SchemaGate | None:
    """What holds records back until their schemas are known; None where no codec asks a registry.

    Raises:
        ConfigError: a registry's settings do not fit.
    """
    decoders = assembly.decoder
    by_topic = decoders.own if isinstance(decoders, TopicDecoders) else {None: decoders}
    resolvers: dict[str | None, SchemaResolver] = {}
    for topic, decoder in by_topic.items():
        client = client_of(decoder) if isinstance(decoder, SchemaDecoder) else None
        if client is not None and isinstance(decoder, SchemaDecoder):
            resolvers[topic] = SchemaResolver(decoder, client, driver.told)
    return SchemaGate(assembly.engine, resolvers) if resolvers else None
