"""Takes out of a recording what must not stand in it."""

import contextlib
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import orjson

from streamproc.connectors.capture.messages import RecordedDecision
from streamproc.connectors.capture.options import Redact
from streamproc.core import Headers, RecordBatch, TableRows

_HEX: Final = 16
"""64 bits: among a million values two share a pseudonym with a chance of 1 in 40 million."""
_NUMBER_BITS: Final = 53
"""A JSON number that every reader holds exactly."""
_UNREADABLE: Final = b"redacted: %d bytes that are no JSON"
"""Stands for a value in which no field can be found; it is no JSON, as what it stands for."""
_DECISION_KEY: Final = ("key",)

Path = tuple[str, ...]
KeyKind = Literal["text", "number"]


class Redactor:
    """Redacts records and decisions.

    Args:
        options: what the user set.
        hidden_keys: by lookup, of which kind the field is whose pseudonyms its table's keys must be.
    """

    def __init__(self, options: Redact, hidden_keys: Mapping[str, KeyKind] | None = None) -> None:
        self._hidden_keys = hidden_keys or {}
        self._secret = options.secret.encode()
        self._keys = options.keys
        self._fields = [_path(text) for text in options.fields]
        self._drop = [_path(text) for text in options.drop]
        self._drop_headers = frozenset(options.drop_headers)

    def records(self, batch: RecordBatch) -> RecordBatch:
        """The batch as it may be recorded."""
        return replace(
            batch,
            key=[self._key(key) for key in batch.key],
            value=[self._value(value, self._fields) for value in batch.value],
            headers={row: self._headers(headers) for row, headers in batch.headers.items()},
        )

    def decision(self, decision: RecordedDecision) -> RecordedDecision:
        """The decision, dead letter or shed event as it may be recorded."""
        fields = [*self._fields, _DECISION_KEY] if self._keys else self._fields
        return decision._replace(
            key=self._key(decision.key),
            value=self._value(decision.value, fields),
            headers=self._headers(decision.headers),
        )

    def table(self, rows: TableRows) -> TableRows:
        """The rows of a lookup's table as they may be recorded; their keys are found in the events as before."""
        kind = self._hidden_keys.get(rows.name)
        if kind is None:
            return rows
        return replace(rows, keys=[self._looked_for(key, kind) for key in rows.keys])

    def pseudonym(self, value: bytes) -> str:
        """The same for the same value."""
        return hmac.new(self._secret, value, hashlib.sha256).hexdigest()[:_HEX]

    def _key(self, key: bytes | None) -> bytes | None:
        return self.pseudonym(key).encode() if self._keys and key is not None else key

    def _headers(self, headers: Headers) -> Headers:
        if not self._drop_headers:
            return headers
        return [header for header in headers if header[0] not in self._drop_headers]

    def _value(self, value: bytes | None, fields: Sequence[Path]) -> bytes | None:
        if not value or not (fields or self._drop):
            return value
        try:
            content = orjson.loads(value)
        except orjson.JSONDecodeError:
            return _UNREADABLE % len(value)
        for path in self._drop:
            for holder, name in _found(content, path):
                del holder[name]
        for path in fields:
            for holder, name in _found(content, path):
                holder[name] = self._replaced(holder[name])
        return orjson.dumps(content)

    def _looked_for(self, key: str, kind: KeyKind) -> str:
        """What an event's hidden field says where the key stood."""
        if kind == "number":
            with contextlib.suppress(ValueError):
                return str(self._replaced(int(key)))
        return self.pseudonym(key.encode())

    def _replaced(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """A pseudonym of the value's own kind; null stays null."""
        if value is None:
            return None
        if isinstance(value, str):
            return self.pseudonym(value.encode())
        text = self.pseudonym(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(text, 16) >> (4 * _HEX - _NUMBER_BITS)
        return text


def _path(text: str) -> Path:
    return tuple(text.split("."))


def _found(content: Any, path: Path) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """What holds the fields that a path names, and their names in it."""
    name, *rest = path
    names: list[Any] = []
    if isinstance(content, dict):
        names = list(content) if name == "*" else [name] if name in content else []
    elif isinstance(content, list) and name == "*":
        # From the end, so that a removal moves none of those that are still to come.
        names = list(range(len(content) - 1, -1, -1))
    for own in names:
        if not rest:
            yield content, own
        else:
            yield from _found(content[own], tuple(rest))
