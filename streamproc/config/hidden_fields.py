"""Which fields a recording does not show, and what that means for the tables that they are looked for in."""

from dataclasses import replace
from typing import Literal

from streamproc.codecs import Codec, JsonCodec
from streamproc.codecs.options import paths_of, types_of
from streamproc.config.codec_checks import codecs_at
from streamproc.connectors.capture import Redact


def redact_of_key(redact: Redact | None, key: str | None) -> Redact | None:
    """What must not stand in a recording: with the keys, the field that is the event's key."""
    if redact is None or not redact.keys or key is None or key in redact.fields:
        return redact
    return replace(redact, fields=(*redact.fields, key))


def hides(redact: Redact, name: str) -> bool:
    """Whether a place in a JSON value is made a pseudonym."""
    return any(reaches(path, name) for path in redact.fields)


def reaches(path: str, name: str) -> bool:
    """Whether a dotted path of ``redact`` leads to a place, or to what it lies in; ``*`` stands for any name."""
    steps, place = path.split("."), name.split(".")
    if len(steps) > len(place):
        return False
    return all(step in ("*", own) for step, own in zip(steps, place, strict=False))


def hidden_kind(codec: Codec, redact: Redact, field: str) -> Literal["text", "number"] | None:
    """What the pseudonyms of a decoded field are; None where it is recorded as it is."""
    for _, one in codecs_at(codec):
        if isinstance(one, JsonCodec) and field in one.fields:
            if hides(redact, paths_of(one.fields)[field]):
                return "text" if types_of(one.fields)[field] == "str" else "number"
            return None
    return None
