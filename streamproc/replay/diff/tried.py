"""A model that was tried, held against the model itself over one recording: the two sides of a comparison."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import repeat
from typing import Final

from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError, Outcome
from streamproc.replay.coordinates import NO_ROW, Coordinates
from streamproc.replay.diff.captured import side_of
from streamproc.replay.diff.ended import DecisionRow, OutcomeRow, Side

_DECIDED: Final = Outcome.ON_TIME.word
"""What is compared was decided; how it ended is told by the decisions that were published."""


class Tried:
    """What one of the two decided, of the events that both did.

    Args:
        reader: the recording, open.
        candidate: the name of the one that was tried.
        by_candidate: whether its decisions are told; else the model's.
    """

    def __init__(self, reader: CaptureReader, candidate: str, *, by_candidate: bool) -> None:
        self._reader = reader
        self._candidate = candidate
        self._by_candidate = by_candidate

    def outcomes(self) -> Iterable[OutcomeRow]:
        """See ``Told``; nothing is known of them here."""
        return ()

    def decisions(self) -> Iterator[DecisionRow]:
        """See ``Told``."""
        for compared in self._reader.comparisons():
            if compared.candidate != self._candidate:
                continue
            values = compared.by_candidate if self._by_candidate else compared.by_model
            rows = repeat(NO_ROW) if compared.row is None else compared.row.tolist()
            topic, partition = compared.source
            for offset, row, value in zip(compared.offset.tolist(), rows, values, strict=False):
                yield DecisionRow(Coordinates(topic, partition, offset, row), _DECIDED, value)


def tried_sides(name: str, reader: CaptureReader, candidate: str | None) -> tuple[Side, Side]:
    """The model itself, and the one that was tried.

    Args:
        name: of the file, as it was given.
        reader: the recording, open.
        candidate: the name of the one that was tried; None takes the only one.

    Raises:
        ConfigError: there is no such one in the recording, or there are several.
    """
    names: dict[str, set[str]] = {}
    for compared in reader.comparisons():
        names.setdefault(compared.candidate, set()).add(compared.model)
    if not names:
        msg = (
            f"{name} has no model that was tried: give a second recording, or record with a rollout"
        )
        raise ConfigError(msg)
    if candidate is None and len(names) > 1:
        msg = f"several models were tried in {name}: choose one with --tried: {', '.join(sorted(names))}"
        raise ConfigError(msg)
    chosen = next(iter(names)) if candidate is None else candidate
    if chosen not in names:
        msg = f"{chosen!r} was not tried in {name}, but {', '.join(sorted(names))}"
        raise ConfigError(msg)
    whole = side_of(name, reader)
    return (
        replace(
            whole,
            name=f"{name}: {', '.join(sorted(names[chosen]))}",
            told=Tried(reader, chosen, by_candidate=False),
        ),
        replace(
            whole, name=f"{name}: {chosen}", told=Tried(reader, chosen, by_candidate=True), gaps=()
        ),
    )
