"""What two decisions about the same event say differently."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from typing_extensions import TypeIs

from streamproc.codecs import decode_framed_decision, is_framed
from streamproc.replay.diff.tolerances import ROOT, Tolerances

_ABSENT = "(absent)"


class _Decision(msgspec.Struct):
    """What is compared of a decision; its times, its outcome and its model differ for good reasons."""

    key: str | None
    output: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Decision)


class FieldChange(NamedTuple):
    """A field that two decisions have otherwise.

    Attributes:
        path: which, such as ``output.scores``; the elements of a list count as one field.
        place: which exactly, such as ``output.scores[2]``.
        baseline: what the baseline says.
        candidate: what the candidate says.
        difference: by how much, where both are numbers.
        is_beyond: True where that is more than the tolerance, or no matter of more and less.
    """

    path: str
    place: str
    baseline: object
    candidate: object
    difference: float | None = None
    is_beyond: bool = True


class Compared(NamedTuple):
    """Two decisions about one event.

    Attributes:
        fields: what differs, also within the tolerance.
        labels: what each says at the label's field; None where one has no such field.
    """

    fields: Sequence[FieldChange]
    labels: tuple[object, object] | None

    @property
    def has_changed(self) -> bool:
        """True where something differs beyond its tolerance."""
        return any(one.is_beyond for one in self.fields)

    @property
    def has_flipped(self) -> bool:
        """True where the label is another one."""
        return self.labels is not None and self.labels[0] != self.labels[1]


def compare(baseline: bytes, candidate: bytes, tolerances: Tolerances, *, label: str) -> Compared:
    """Compare the values of two decision records.

    What is no decision of JSON, Avro or Protobuf (an Arrow one, or what somebody has rewritten) is compared byte by byte.

    Args:
        baseline: a record's value.
        candidate: the other's.
        tolerances: by how much numbers may differ.
        label: where in the output the label is, such as ``label``; empty: the output itself.
    """
    try:
        old, new = _read(baseline), _read(candidate)
    except msgspec.DecodeError:
        changed = [FieldChange("value", "value", f"{len(baseline)} bytes", f"{len(candidate)} bytes")]  # fmt: skip
        return Compared(changed if baseline != candidate else [], None)
    fields = []
    if old.key != new.key:
        fields.append(FieldChange("key", "key", old.key, new.key))
    said = msgspec.json.decode(old.output)
    if bytes(old.output) == bytes(new.output):  # most of them, and cheaper than to look into them
        here = _at(said, label)
        return Compared(fields, None if here is None else (here, here))
    says = msgspec.json.decode(new.output)
    fields += _differences(said, says, ROOT, ROOT, tolerances)
    labels = (_at(said, label), _at(says, label))
    return Compared(fields, None if None in labels else labels)


def _read(value: bytes) -> _Decision:
    if not is_framed(value):
        return _DECODER.decode(value)
    try:
        read = decode_framed_decision(value)
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error
    return _Decision(key=read.key, output=msgspec.Raw(msgspec.json.encode(read.output)))


def _differences(
    old: object, new: object, path: str, place: str, tolerances: Tolerances
) -> Iterator[FieldChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            below = old.get(name, _ABSENT), new.get(name, _ABSENT)
            yield from _differences(*below, f"{path}.{name}", f"{place}.{name}", tolerances)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, below in enumerate(zip(old, new, strict=True)):
            yield from _differences(*below, path, f"{place}[{number}]", tolerances)
    elif _is_number(old) and _is_number(new):
        if old != new:
            is_beyond = not tolerances.same(path, old, new)
            yield FieldChange(path, place, old, new, abs(old - new), is_beyond)
    elif type(old) is not type(new) or old != new:
        yield FieldChange(path, place, old, new)


def _is_number(value: object) -> TypeIs[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(output: object, label: str) -> str | int | bool | None:
    """What stands at the label's place, if that is something that can flip."""
    for name in label.split(".") if label and isinstance(output, Mapping) else ():
        output = output.get(name) if isinstance(output, Mapping) else None
    return output if isinstance(output, str | int | bool) else None
