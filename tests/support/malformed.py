"""Malformed records: valid ones, mutated from a seed; nothing of it is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LENGTH = 4
FIELDS = {"ts": "int64", "name": "str", "inner.x": "float64", "f": f"float32[{LENGTH}]"}
_F32_MAX = float(np.finfo(np.float32).max)
_I64 = range(-(1 << 63), 1 << 63)


class Malformed(NamedTuple):
    """A record that cannot be decided."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def valid(rng: np.random.Generator) -> dict[str, Any]:
    """An event as it should be."""
    return {
        "ts": int(rng.integers(0, 1 << 40)),
        "name": "".join(map(chr, rng.integers(0x20, 0x250, rng.integers(0, 12)).tolist())),
        "inner": {"x": float(rng.normal()), "more": [1, {"deep": None}]},
        "f": rng.normal(size=LENGTH).tolist(),
    }


def is_valid(value: bytes) -> bool:
    """A slow and obvious reading of what a record should be."""
    try:
        event = json.loads(value.decode(), parse_constant=_refuse, object_pairs_hook=_first)
        numbers = [event["inner"]["x"], *event["f"]]
        return (
            type(event["ts"]) is int
            and event["ts"] in _I64
            and isinstance(event["name"], str)
            and len(event["f"]) == LENGTH
            and isinstance(event["f"], list)
            and all(type(n) in {int, float} and abs(n) < float("inf") for n in numbers)
            and all(abs(n) < _F32_MAX for n in event["f"])
        )
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return False


def corpus(seed: int, count: int) -> Iterator[Malformed]:
    """So many malformed records; the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        mutate = _MUTATIONS[int(rng.integers(len(_MUTATIONS)))]
        value = mutate(rng, valid(rng))
        if value is not None and is_valid(value):
            continue  # a mutation may leave it as good as it was
        made += 1
        yield Malformed(_key(rng), value, _headers(rng))


def _refuse(text: str) -> float:
    raise ValueError(text)


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _flipped(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    value = bytearray(orjson.dumps(event))
    for place in rng.integers(0, len(value), rng.integers(1, 5)).tolist():
        value[place] = int(rng.integers(256))
    return bytes(value)


def _spliced(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    value, other = orjson.dumps(event), orjson.dumps(valid(rng))
    return value[: rng.integers(len(value))] + other[rng.integers(len(other)) :]


def _cut(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    value = orjson.dumps(event)
    return value[: rng.integers(len(value))]


def _repeated(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    value = orjson.dumps(event)
    start, stop = sorted(rng.integers(0, len(value), 2).tolist())
    return value[:stop] + value[start:]


def _noise(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    return rng.bytes(int(rng.integers(0, 200)))


def _null(rng: np.random.Generator, event: dict[str, Any]) -> None:
    return None


def _without(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    del event[str(rng.choice(list(event)))]
    return orjson.dumps(event)


_WRONG: tuple[Any, ...] = (
    None, True, 1.5, -1, "text", "", [], {}, [1], [[0.5] * LENGTH], [0.5] * 1000, {"x": "y"}, 1 << 63, 1e308,
)  # fmt: skip


def _wrong(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    wrong = _WRONG[int(rng.integers(len(_WRONG)))]
    where = [event, event["inner"]][int(rng.integers(2))]
    name = str(rng.choice(list(where)))
    if isinstance(where[name], list) and name == "f" and rng.integers(2):
        where[name][int(rng.integers(LENGTH))] = wrong
    else:
        where[name] = wrong
    return orjson.dumps(event)


def _number(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    texts = (
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"1e39",
        b"0x10",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"9" * 5_000,
    )
    event["f"][int(rng.integers(LENGTH))] = "@"
    return orjson.dumps(event).replace(b'"@"', texts[int(rng.integers(len(texts)))])


def _deep(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    depth = int(rng.integers(1_100, 20_000))
    opened, closed = ((b"[", b"]"), (b'{"a":', b"}"))[int(rng.integers(2))]
    inner = opened * depth + (closed * depth if rng.integers(2) else b"")
    return orjson.dumps(event)[:-1] + b',"extra":' + inner + b"}"


def _other_format(rng: np.random.Generator, event: dict[str, Any]) -> bytes:
    text = json.dumps(event)
    return (
        text.encode("utf-16"),
        text.encode("utf-32-le"),
        text.replace('"', "'").encode(),
        b"\x00\x00\x00\x00\x01" + text.encode(),  # as a schema registry has it
        text.encode() + b"\x00",
        f"[{text}]".encode(),
        (text + text).encode(),
    )[int(rng.integers(7))]


_MUTATIONS: tuple[Callable[[np.random.Generator, dict[str, Any]], bytes | None], ...] = (
    _flipped, _flipped, _spliced, _cut, _repeated, _noise, _null, _without, _wrong, _wrong, _number, _deep,
    _other_format,
)  # fmt: skip


def _key(rng: np.random.Generator) -> bytes | None:
    return None if rng.integers(4) == 0 else rng.bytes(int(rng.integers(0, 20)))


_NAMES = (
    "x-deadline-ns",
    "traceparent",
    "tracestate",
    "streamproc-reason",
    "streamproc-source",
    "a",
    "\u00fc",
)


def _headers(rng: np.random.Generator) -> tuple[tuple[str, bytes | None], ...]:
    if rng.integers(3):
        return ()
    values = (
        None,
        b"",
        b"1",
        b"9" * 30,
        b"-5",
        b"\xff\x00",
        b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01",
    )
    return tuple(
        (_NAMES[int(rng.integers(len(_NAMES)))], values[int(rng.integers(len(values)))])
        for _ in range(int(rng.integers(1, 6)))
    )
