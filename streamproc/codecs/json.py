"""JSON records to columns.

The way of the data: simdjson parses each record; a list of numbers is copied as it lies in the
parser's memory, and one ``numpy.frombuffer`` makes the whole batch's matrix of it. No Python object
is made for a number. A record that this way refuses is looked at again by ``json_strict``, which is
slow and says what is wrong.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import getitem, itemgetter, methodcaller
from typing import Any

import numpy as np
import simdjson

from streamproc.codecs.decoded import Decoded
from streamproc.codecs.fields import FieldType, narrowed, not_finite
from streamproc.codecs.json_strict import StrictJson
from streamproc.codecs.options import JsonCodec, paths_of, types_of
from streamproc.codecs.rows import scalar_column
from streamproc.core import Array, BoolArray, Columns, Reason, RecordError

Row = tuple[tuple[object, ...], tuple[object, ...]]
"""A record's single values, and its lists as buffers of float64 or int64."""


class JsonDecoder:
    """Decodes JSON objects by their declared fields, one event a record.

    Args:
        options: the fields and the limit of a record's size.

    Raises:
        ValueError: a field's type does not exist.
    """

    several = False

    def __init__(self, options: JsonCodec) -> None:
        types = types_of(options.fields)
        self.fields = {name: FieldType.parse(text) for name, text in types.items()}
        self._paths = paths_of(options.fields)
        self._max_bytes = int(options.max_bytes)
        self._scalars = [n for n, kind in self.fields.items() if not kind.shape]
        self._lists = [n for n, kind in self.fields.items() if kind.shape]
        self._strict = StrictJson(self.fields, self._paths)
        self._parse = simdjson.Parser().parse
        self._pick = _picker([self._paths[name] for name in self._scalars])

    def decode(self, values: list[bytes | None]) -> Decoded:
        """Columns of the values; see ``Decoder``.

        Returns:
            each single field as [m], each list field as [m, length].
        """
        rejected: dict[int, RecordError] = {}
        good: list[int] = []
        scalars: list[object] = []
        lists: list[list[object]] = [[] for _ in self._lists]
        start = 0
        while (start := self._fast(values, start, good, scalars, lists)) < len(values):
            try:
                single, buffers = self._slow(values[start])
            except RecordError as error:
                rejected[start] = error
            else:
                good.append(start)
                scalars.append(single[0] if len(single) == 1 else single)
                for column, buffer in zip(lists, buffers, strict=True):
                    column.append(buffer)
            start += 1
        columns, unfit = self._columns(scalars, lists)
        while (
            unfit is not None
        ):  # a value parses but does not fit its type: look closely at those alone
            for place in np.flatnonzero(unfit).tolist()[::-1]:
                rejected[good[place]] = self._strict.explain(values[good[place]])
                del good[place], scalars[place]
                for column in lists:
                    del column[place]
            columns, unfit = self._columns(scalars, lists)
        if len(good) == len(values):
            return Decoded(None, columns, rejected)
        return Decoded(np.array(good, np.int64), columns, rejected)

    def _fast(
        self,
        values: list[bytes | None],
        start: int,
        good: list[int],
        scalars: list[Any],
        lists: list[list[object]],
    ) -> int:
        """Append what the records from ``start`` on hold; stop at one that must be looked at closely.

        Returns:
            the number of the record it stopped at; ``len(values)`` at the end.
        """
        parse, pick, keep, bytes_max = self._parse, self._pick, scalars.append, self._max_bytes
        plan = [
            (path, _nested(path), kind.size, "d" if kind.is_float else "i", column.append)
            for (path, kind), column in zip(
                ((self._paths[n], self.fields[n]) for n in self._lists), lists, strict=True
            )
        ]
        brackets = len(plan)
        number = start
        document: Any = None
        array: Any = None
        try:
            for value in values[start:] if start else values:
                if not value or len(value) > bytes_max:
                    break
                # One bracket is found ten times quicker from both ends than by counting.
                flat = (
                    value.find(b"[") == value.rfind(b"[")
                    if brackets == 1
                    else value.count(b"[") == brackets
                )
                document = parse(value)
                for name, nested, length, element, append in plan:
                    array = document[name] if nested is None else nested(document)
                    # as_buffer flattens: a further bracket may be a list inside the list.
                    if len(array) != length or not (flat or _is_flat(array)):
                        raise ValueError(name)  # noqa: TRY301 - as where the parser itself raises
                    append(array.as_buffer(of_type=element))
                    array = None
                keep(pick(document))
                document = None  # the parser is not used again while a document lives
                number += 1
        except (ValueError, TypeError, LookupError, RuntimeError, AttributeError):
            del document, array
        kept = len(good) + number - start
        del scalars[kept:]
        for column in lists:
            del column[kept:]
        good.extend(range(start, number))
        return number

    def _slow(self, value: bytes | None) -> Row:
        if value and len(value) > self._max_bytes:
            raise RecordError(
                Reason.TOO_LARGE,
                f"the value has {len(value)} bytes, the limit is {self._max_bytes}",
            )
        return self._strict.row(value)

    def _columns(
        self, scalars: list[Any], lists: list[list[object]]
    ) -> tuple[Columns, BoolArray | None]:
        """The columns, and which rows do not fit their types (bool [n]; None where all do)."""
        unfit: BoolArray | None = None
        columns: Columns = {}
        turned: Iterable[Sequence[Any]] = ((),) * len(self._scalars)
        if scalars:
            turned = zip(*scalars, strict=True) if len(self._scalars) > 1 else [scalars]
        if not self._scalars:
            turned = ()
        made = [
            *(scalar_column(v, self.fields[n]) for n, v in zip(self._scalars, turned, strict=True)),
            *(_list_column(v, self.fields[n]) for n, v in zip(self._lists, lists, strict=True)),
        ]
        for name, (column, wrong) in zip(self._scalars + self._lists, made, strict=True):
            columns[name] = column
            if wrong is not None:
                unfit = wrong if unfit is None else unfit | wrong
        return columns, unfit


def _is_flat(array: Any) -> bool:  # noqa: ANN401 - simdjson has no types
    return all(type(item) in {int, float} for item in array)


def _nested(name: str) -> Callable[[Any], Any] | None:
    """A function that goes into nested objects for a name with dots; None for one without."""
    parts = name.split(".")
    if len(parts) == 1:
        return None
    if any(part.isdigit() or part == "-" for part in parts):  # a pointer would go into lists, too
        return lambda document: reduce(getitem, parts, document)
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
    return methodcaller("at_pointer", pointer)


def _picker(names: list[str]) -> Callable[[Any], Any]:
    """A function that takes the fields named out of a document: one bare, several as a tuple."""
    if not names:
        return lambda _: None
    getters: list[Callable[[Any], Any]] = [_nested(n) or itemgetter(n) for n in names]
    if len(names) == 1:
        return getters[0]
    if any("." in name for name in names):
        return lambda document: tuple([get(document) for get in getters])
    return itemgetter(*names)


def _list_column(buffers: list[object], kind: FieldType) -> tuple[Array, BoolArray | None]:
    """The column [n, length] of lists, and which rows do not fit (never none of them; None: all do)."""
    wide = np.float64 if kind.is_float else np.int64
    matrix = np.frombuffer(b"".join(buffers), wide).reshape(len(buffers), kind.size)  # type: ignore[arg-type]
    if kind.is_integer and kind.dtype != "int64":
        least, most = kind.limits
        outside = (matrix < least) | (matrix > most)
        wrong: BoolArray = np.any(outside, axis=1)
        return matrix.astype(kind.numpy), wrong if wrong.any() else None
    column = narrowed(matrix, kind)
    return column, not_finite(column, kind)
