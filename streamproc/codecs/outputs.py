"""What was decided, as columns: made by a decider, written by an encoder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol, Self

import orjson

from streamproc.codecs.pieces import joined, row_texts
from streamproc.core import Array, Int64Array, Rows, light


class Outputs(Protocol):
    """One output an event."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def take(self, rows: Rows) -> Self:
        """Those of the rows named: a slice, or int64 [m] row numbers."""
        ...

    def json_texts(self) -> Sequence[bytes]:
        """Each as JSON."""
        ...

    def json_pieces(self, before: bytes, after: bytes) -> list[Iterable[bytes]]:
        """The same in pieces that are to be joined (``pieces.joined``), each between two texts."""
        ...


@light
@dataclass(frozen=True, slots=True)
class Labelled:
    """A label each, and the scores it was chosen by: ``{"label": ..., "scores": [...]}``.

    Attributes:
        labels: the classes.
        label_texts: what the JSON of an output with each of them begins with.
        choice: int64 [n], the label of each, an index into ``labels``.
        scores: [n, len(labels)], in the labels' order; None where they are not wanted.
    """

    labels: Sequence[str]
    label_texts: Sequence[bytes]
    choice: Int64Array
    scores: Array | None

    @staticmethod
    def texts_of(labels: Sequence[str], *, scores: bool) -> list[bytes]:
        """The ``label_texts`` of these labels."""
        end = b',"scores":[' if scores else b"}"
        return [b'{"label":%b%b' % (orjson.dumps(label), end) for label in labels]

    def __len__(self) -> int:
        return len(self.choice)

    def take(self, rows: Rows) -> Self:
        """See ``Outputs``."""
        scores = None if self.scores is None else self.scores[rows]
        return type(self)(self.labels, self.label_texts, self.choice[rows], scores)

    def json_texts(self) -> Sequence[bytes]:
        """See ``Outputs``."""
        return joined(self.json_pieces(b"", b""), len(self.choice))

    def json_pieces(self, before: bytes, after: bytes) -> list[Iterable[bytes]]:
        """See ``Outputs``."""
        chosen = self.choice.tolist()
        texts = self.label_texts
        if len(texts) < len(chosen):
            texts = [before + text for text in texts]
            labels = list(map(texts.__getitem__, chosen))
        else:
            labels = [before + texts[place] for place in chosen]
        if self.scores is None:
            return [labels, repeat(after)]
        return [labels, row_texts(self.scores), repeat(b"]}" + after)]


@light
@dataclass(frozen=True, slots=True)
class Numbers:
    """The model's output as it is.

    Attributes:
        values: [n, ...].
    """

    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Rows) -> Self:
        """See ``Outputs``."""
        return type(self)(self.values[rows])

    def json_texts(self) -> Sequence[bytes]:
        """A number or a list of numbers each; see ``Outputs``."""
        return [orjson.dumps(row) for row in self.values.tolist()]

    def json_pieces(self, before: bytes, after: bytes) -> list[Iterable[bytes]]:
        """See ``Outputs``."""
        return [repeat(before), self.json_texts(), repeat(after)]


@light
@dataclass(frozen=True, slots=True)
class Objects:
    """Objects that JSON can hold.

    Attributes:
        texts: n JSON texts.
    """

    texts: Sequence[bytes]

    @classmethod
    def of(cls, items: Sequence[object]) -> Self:
        """Objects of any kind.

        Raises:
            TypeError: JSON cannot hold one.
        """
        return cls([orjson.dumps(item, option=orjson.OPT_SERIALIZE_NUMPY) for item in items])

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Rows) -> Self:
        """See ``Outputs``."""
        if isinstance(rows, slice):
            return type(self)(self.texts[rows])
        return type(self)([self.texts[row] for row in rows.tolist()])

    def json_texts(self) -> Sequence[bytes]:
        """See ``Outputs``."""
        return self.texts

    def json_pieces(self, before: bytes, after: bytes) -> list[Iterable[bytes]]:
        """See ``Outputs``."""
        return [repeat(before), self.json_texts(), repeat(after)]


@light
@dataclass(frozen=True, slots=True)
class Fields:
    """Objects with the same fields, as columns.

    Attributes:
        columns: the fields by name, each [n, ...].
    """

    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: Rows) -> Self:
        """See ``Outputs``."""
        return type(self)({name: column[rows] for name, column in self.columns.items()})

    def json_texts(self) -> Sequence[bytes]:
        """An object each; see ``Outputs``."""
        return Objects.of(self.objects()).texts

    def json_pieces(self, before: bytes, after: bytes) -> list[Iterable[bytes]]:
        """See ``Outputs``."""
        return [repeat(before), self.json_texts(), repeat(after)]

    def objects(self) -> list[dict[str, object]]:
        """The rows."""
        rows = zip(*(column.tolist() for column in self.columns.values()), strict=True)
        return [dict(zip(self.columns, row, strict=True)) for row in rows]
