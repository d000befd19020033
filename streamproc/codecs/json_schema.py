"""JSON behind a schema's id: decoded as JSON, and held against its schema where that is asked for."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from typing_extensions import override

from streamproc.codecs.decoded import Decoded
from streamproc.codecs.json import JsonDecoder
from streamproc.codecs.options import JsonCodec, JsonSchemaCodec
from streamproc.codecs.registry import FRAME_BYTES, Registered, RegisteredSchema, SchemaType
from streamproc.core import Reason, RecordError


class JsonSchemaDecoder(Registered[Any]):
    """Decodes JSON objects in Confluent's wire format, one event a record.

    Args:
        options: the fields, and whether they are validated.

    Raises:
        ValueError: a field's type does not exist.
        ImportError: values are to be validated, and jsonschema-rs is not installed.
    """

    several = False
    kind: SchemaType = "JSON"

    def __init__(self, options: JsonSchemaCodec) -> None:
        super().__init__(options.registry if options.validate else None, int(options.max_bytes))
        self._json = JsonDecoder(JsonCodec(options.fields, options.max_bytes))
        self.fields = self._json.fields
        self._validate = options.validate
        if options.validate:
            import jsonschema_rs  # noqa: F401, PLC0415 - an extra

    @override
    def _made_of(self, schema: RegisteredSchema) -> Any:
        return _validator(schema)

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Columns of the values; see ``Decoder``."""
        rejected: dict[int, RecordError] = {}
        bodies: list[bytes | None] = [value[FRAME_BYTES:] if value else value for value in values]
        if self._validate:
            for group in self._groups(values, rejected):
                _validated(group.known, group.records, bodies, rejected)
        else:
            rejected = {
                number: _NO_FRAME for number, value in enumerate(values) if _unframed(value)
            }
        if not rejected:
            return self._json.decode(bodies)
        places = [number for number in range(len(values)) if number not in rejected]
        decoded = self._json.decode([bodies[number] for number in places])
        record = np.array(places, np.int64)
        return replace(
            decoded,
            record=record if decoded.record is None else record[decoded.record],
            rejected=rejected | {places[at]: error for at, error in decoded.rejected.items()},
        )


_NO_FRAME = RecordError(
    Reason.UNDECODABLE,
    "the value does not begin with a zero byte and a schema's id of four bytes: it was not written with a registry",
)


def _unframed(value: bytes | None) -> bool:
    return bool(value) and (value[:1] != b"\0" or len(value) < FRAME_BYTES)  # type: ignore[index,arg-type]


def _validator(schema: RegisteredSchema) -> Any:  # noqa: ANN401 - jsonschema-rs's
    """What holds a value against a schema.

    Raises:
        RecordError: it is no JSON Schema.
    """
    import jsonschema_rs  # noqa: PLC0415 - an extra

    try:
        known = [(name, json.loads(text)) for name, text in schema.references]
        registry = jsonschema_rs.Registry(known) if known else None
        return jsonschema_rs.validator_for(json.loads(schema.text), registry=registry)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
        text = f"cannot be used: {str(error).splitlines()[0]}"
        raise RecordError(Reason.UNDECODABLE, text) from None


def _validated(
    validator: Any,  # noqa: ANN401
    records: Iterable[int],
    bodies: list[bytes | None],
    rejected: dict[int, RecordError],
) -> None:
    for number in records:
        try:
            document = json.loads(bodies[number] or b"")
        except (ValueError, RecursionError):
            continue  # the JSON codec says what is wrong
        error = next(iter(validator.iter_errors(document)), None)
        if error is not None:
            place = "/".join(map(str, error.instance_path)) or "the value"
            rule = "/".join(map(str, error.schema_path))  # its message shows the payload
            text = f"{place} violates the schema's {rule}"
            rejected[number] = RecordError(Reason.SCHEMA_VIOLATION, text)
