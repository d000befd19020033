"""The document that a latency model is saved as."""

import json
import math
import textwrap
from dataclasses import dataclass
from typing import Self

_FORMAT = "streamproc.latency_model"
_VERSION = 1
SIZES_MAX = 65_536
"""Entries of a list, and the largest size: a model never has more."""


@dataclass(frozen=True, slots=True)
class LatencyText:
    """What a latency model is made of.

    Attributes:
        size: batch sizes measured, ascending.
        run_ns: their times in ns.
        size_max: the largest batch.
        quantile: of the last runs, what is predicted.
        corrections: factors on the curve, by batch size (not always a whole one).
    """

    size: tuple[int, ...]
    run_ns: tuple[int, ...]
    size_max: int
    quantile: float
    corrections: dict[float, float]

    def dumps(self) -> str:
        """As JSON."""
        corrections = [{"size": s, "factor": f} for s, f in self.corrections.items()]
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "size": self.size,
            "run_ns": self.run_ns,
            "size_max": self.size_max,
            "quantile": self.quantile,
            "corrections": corrections,
        }
        return json.dumps(document)

    @classmethod
    def loads(cls, text: str) -> Self:
        """From JSON.

        Raises:
            ValueError: it is no such document; the message says what is wrong where.
        """
        try:
            document: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"not a saved latency model: no JSON ({error})"
            raise ValueError(msg) from None
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            msg = f'not a saved latency model: expected a JSON object with "format": "{_FORMAT}"'
            raise ValueError(msg)
        if document.get("version") != _VERSION:
            msg = f"a latency model of version {document.get('version')!r}; this release reads version {_VERSION}"
            raise ValueError(msg)
        corrections = document.get("corrections")
        if not isinstance(corrections, list) or not all(isinstance(c, dict) for c in corrections):
            raise _wrong("corrections", "a list of objects with size and factor", corrections)
        return cls(
            size=_whole_numbers("size", document.get("size")),
            run_ns=_whole_numbers("run_ns", document.get("run_ns")),
            size_max=_whole_numbers("size_max", [document.get("size_max")])[0],
            quantile=_positive("quantile", document.get("quantile")),
            corrections={
                _positive("corrections: size", c.get("size"), least=1.0): _positive(
                    "corrections: factor", c.get("factor")
                )
                for c in corrections[:SIZES_MAX]
            },
        )


def _whole_numbers(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= SIZES_MAX:
        raise _wrong(name, "a list of whole numbers", value)
    longest = SIZES_MAX if name != "run_ns" else 1 << 62
    found = []
    for number in value:
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= longest:
            raise _wrong(name, f"whole numbers from 1 to {longest}", number)
        found.append(number)
    return tuple(found)


def _positive(name: str, value: object, least: float = 0.0) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and number > 0 and number >= least:
            return number
    raise _wrong(
        name, f"a number above {least:g}" if not least else f"a number from {least:g} on", value
    )


def _wrong(name: str, expected: str, value: object) -> ValueError:
    return ValueError(
        f"a saved latency model's {name}: expected {expected}, got {textwrap.shorten(repr(value), 60)}"
    )
