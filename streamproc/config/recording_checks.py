"""What no single key shows of recording."""

from collections.abc import Iterator, Sequence

from streamproc.codecs import Codec, JsonCodec
from streamproc.config.codec_checks import codecs_at
from streamproc.config.hidden_fields import hidden_kind, reaches, redact_of_key
from streamproc.config.tree import Finding
from streamproc.connectors.capture import Record
from streamproc.engine import PythonFunction
from streamproc.features import Feature
from streamproc.features.operators import Lookup


def _redacted_fields(codec: Codec, record: Record | None) -> Iterator[Finding]:
    """Fields are found in JSON alone: elsewhere what was to be hidden would be recorded."""
    json = all(isinstance(one, JsonCodec) for _, one in codecs_at(codec))
    if record is None or record.redact is None or json:
        return
    for name in ("fields", "drop"):
        if getattr(record.redact, name):
            yield (
                ("record", "redact", name),
                "needs the codec json: in other values no field can be hidden; record without them, or not at all",
            )


def _tables(
    features: Sequence[str | Feature] | PythonFunction,
    codec: Codec,
    key: str | None,
    record: Record | None,
) -> Iterator[Finding]:
    """A replay looks into the recorded tables: what was hidden in them, or in events alone, it would not find."""
    redact = None if record is None else redact_of_key(record.redact, key)
    if redact is None or isinstance(features, PythonFunction):
        return
    for feature in features:
        if not isinstance(feature, Lookup) or feature.topic is None:
            continue
        for name in ("fields", "drop"):
            for path in getattr(redact, name):
                found = [number for number in feature.fields if reaches(path, number)]
                if found:
                    text = (
                        f"{path} leads to {found[0]}, which a lookup takes of {feature.topic}: a replay needs the number "
                        "itself; give the field another name there, or record nothing"
                    )
                    yield ("record", "redact", name), text
        if redact.keys and hidden_kind(codec, redact, feature.field) is None:
            text = (
                f"the keys of records become pseudonyms, those of {feature.topic} too, and {feature.field}, which is "
                "looked for among them, does not: a replay would find nothing; name it in fields"
            )
            yield ("record", "redact", "keys"), text


RECORDING_CHECKS = (
    (_redacted_fields, ("codec", "record")),
    (_tables, ("features", "codec", "key", "record")),
)
"""Each check and the parts that it takes."""
