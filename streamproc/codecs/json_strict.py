"""The slow and exact way for one JSON record: either its values, or what is wrong with it."""

import codecs
import json
import math
from collections.abc import Mapping

import msgspec

from streamproc.codecs.fields import FieldType
from streamproc.codecs.strict import cut, kind_of, strict_list, strict_scalar
from streamproc.core import Reason, RecordError


class StrictJson:
    """Reads one record at a time and says what is wrong with it.

    Args:
        fields: the declared fields, by name.
        paths: where each is, by name; None where the names say it.
    """

    def __init__(
        self, fields: Mapping[str, FieldType], paths: Mapping[str, str] | None = None
    ) -> None:
        self._fields = fields
        self._paths = paths or {name: name for name in fields}

    def row(self, value: bytes | None) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """The record's single values, and its lists as buffers of float64 or int64.

        Raises:
            RecordError: it does not have the declared fields.
        """
        document = _document(value)
        scalars: list[object] = []
        lists: list[object] = []
        for name, kind in self._fields.items():
            item = _lookup(document, self._paths[name])
            if not kind.shape:
                scalars.append(strict_scalar(name, kind, item))
            else:
                lists.append(strict_list(name, kind, item))
        return tuple(scalars), tuple(lists)

    def explain(self, value: bytes | None) -> RecordError:
        """What is wrong with a record whose values do not fit their columns."""
        try:
            self.row(value)
        except RecordError as error:
            return error
        return RecordError(Reason.WRONG_TYPE, "a value does not fit its field's type")


def _document(value: bytes | None) -> Mapping[str, object]:
    if value is None:
        raise RecordError(Reason.EMPTY, "the value is null (a tombstone)")
    if not value.strip():
        raise RecordError(Reason.EMPTY, "the value has no bytes")
    value = value.removeprefix(codecs.BOM_UTF8)  # simdjson passes it over, too
    try:
        msgspec.json.decode(value)  # json alone would let NaN and half surrogate pairs pass
        document = json.loads(value.decode(), object_pairs_hook=_first_of_each)
    except (ValueError, RecursionError) as error:
        if (text := _not_finite(value)) is not None:
            detail = f"{cut(text)!r} is no finite number: leave the event out or send a number"
            raise RecordError(Reason.NOT_FINITE, detail) from None
        raise RecordError(Reason.UNDECODABLE, f"no JSON: {error}") from None
    if not isinstance(document, dict):
        raise RecordError(Reason.WRONG_TYPE, f"a JSON object is needed, not {kind_of(document)}")
    return document


def _first_of_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object in which the first of repeated keys counts, as simdjson finds it."""
    return dict(reversed(pairs))


def _not_finite(value: bytes) -> str | None:
    """The first NaN, Infinity or 1e400 of a record that would be JSON without; None if it would not."""
    found: list[str] = []

    def note(text: str) -> float:
        if not math.isfinite(number := float(text)):
            found.append(text)
        return number

    try:
        json.loads(value.decode(), parse_constant=note, parse_float=note)
    except (ValueError, RecursionError):
        return None
    return found[0] if found else None


def _lookup(document: Mapping[str, object], name: str) -> object:
    item: object = document
    for part in name.split("."):
        if not isinstance(item, dict) or part not in item:
            break
        item = item[part]
    else:
        return item
    if name in document:
        return document[name]
    raise RecordError(Reason.MISSING_FIELD, f"field {name!r} is missing")
