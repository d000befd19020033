"""Protobuf's text format without a schema: as much of it as a Triton ``config.pbtxt`` needs."""

import re
from collections.abc import Iterator
from typing import Final, NoReturn, TypeAlias, Union

Value: TypeAlias = Union[str, int, float, "Fields"]
Fields: TypeAlias = dict[str, list[Value]]
"""By name all values that a field was given, in their order; names of an enumeration are texts."""

DEPTH_MAX: Final = 32
_TOKEN: Final = re.compile(
    r"""\s+ | \#[^\n]*                                  # nothing
      | (?P<text> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
      | (?P<number> -?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?f? )
      | (?P<name> [A-Za-z_][\w./]* )
      | (?P<sign> [{}<>\[\]:,;] )""",
    re.VERBOSE,
)
_CLOSING: Final = {"{": "}", "<": ">"}
_ESCAPED: Final = re.compile(r"\\(.)")


def read_pbtxt(text: str) -> Fields:
    """The fields of a message.

    Raises:
        ValueError: it is no text format, with the line.
    """
    return _Reader(text).fields("", 0)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def fields(self, closing: str, depth: int) -> Fields:
        """Up to the sign that closes the message; up to the end where there is none."""
        if depth > DEPTH_MAX:
            self._refuse(f"more than {DEPTH_MAX} messages in one another")
        found: Fields = {}
        while True:
            kind, token = self._next()
            if token == closing:
                return found
            if kind != "name":
                self._refuse(f"a field's name was expected, not {token or 'the end'!r}")
            values = self._values(depth)
            found.setdefault(token, []).extend(values)
            if self._peek() in (",", ";"):
                self._next()

    def _values(self, depth: int) -> list[Value]:
        if self._peek() == ":":
            self._next()
        if self._peek() != "[":
            return [self._value(depth)]
        self._next()
        values: list[Value] = []
        while self._peek() != "]":
            values.append(self._value(depth))
            if self._peek() == ",":
                self._next()
        self._next()
        return values

    def _value(self, depth: int) -> Value:
        kind, token = self._next()
        if token in _CLOSING:
            return self.fields(_CLOSING[token], depth + 1)
        if kind == "text":
            whole = _ESCAPED.sub(r"\1", token[1:-1])
            while self._at < len(self._tokens) and self._tokens[self._at][0] == "text":
                whole += _ESCAPED.sub(r"\1", self._next()[1][1:-1])
            return whole
        if kind == "number":
            plain = token.rstrip("f")
            return int(plain) if plain.lstrip("-").isdigit() else float(plain)
        if kind != "name":
            self._refuse(f"a value was expected, not {token or 'the end'!r}")
        return token

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            return "end", ""
        kind, token, _ = self._tokens[self._at]
        self._at += 1
        return kind, token

    def _refuse(self, what: str) -> NoReturn:
        line = self._tokens[min(self._at, len(self._tokens)) - 1][2] if self._tokens else 1
        msg = f"line {line}: {what}"
        raise ValueError(msg)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and line of each."""
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            msg = f"line {line}: {text[at]!r} means nothing here"
            raise ValueError(msg)
        if match.lastgroup is not None:
            yield match.lastgroup, match[0], line
        line += match[0].count("\n")
        at = match.end()
