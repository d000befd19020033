"""What no single key shows of recording."""

from collections.abc import Iterator

from streamproc.codecs import Codec, JsonCodec
from streamproc.config.codec_checks import codecs_at
from streamproc.config.tree import Finding
from streamproc.connectors.capture import Record


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


RECORDING_CHECKS = ((_redacted_fields, ("codec", "record")),)
"""Each check and the parts that it takes."""
