"""Inputs against outputs: which events have no outcome, which have several, and are repeats the same."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from streamproc.core import Headers
from streamproc.engine import OUTCOME_HEADER, REASON_HEADER, RECEIPT_HEADER, SOURCE_HEADER

TIMES = frozenset({"decided_ns", "deadline_ns", "outcome"})
"""What a repeat of a decision may change: it is made later, so it may also be late."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What became of the inputs.

    Attributes:
        inputs: how many there are.
        outcomes: outputs by their word, repeats included.
        missing: inputs without any outcome.
        unknown: outputs about no input.
        several: inputs with more than one output, and how many they have.
        mixed: those of them that were decided once and shed or dead-lettered another time.
        differing: those of them whose repeats say something else, times left aside. What another variant of the
            model decided may differ.
    """

    inputs: int
    outcomes: Mapping[str, int]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    several: Mapping[str, int]
    mixed: tuple[str, ...]
    differing: tuple[str, ...]

    def assert_each_once(self) -> None:
        """Every input has exactly one output.

        Raises:
            AssertionError: with what is missing, unknown or there several times.
        """
        self._see(self.missing, "have no outcome")
        self._see(self.unknown, "are outcomes of no input")
        self._see(self.several, "have several outcomes")

    def assert_each_at_least_once(self) -> None:
        """Every input has an output, and repeats say the same but for times: ``at_least_once``.

        Raises:
            AssertionError: with what is missing, unknown or different.
        """
        self._see(self.missing, "have no outcome")
        self._see(self.unknown, "are outcomes of no input")
        self._see(self.differing, "were repeated with another content")

    def _see(self, wrong: Collection[str], what: str) -> None:
        if wrong:
            shown = ", ".join(list(wrong)[:_SHOWN])
            msg = f"{len(wrong)} of {self.inputs} {what}: {shown}{', ...' * (len(wrong) > _SHOWN)}"
            raise AssertionError(msg)


class OutcomeChecker:
    """Gathers inputs and outputs, whatever they were read with, and compares them.

    Args:
        inputs: the ids of what went in, ``topic/partition/offset``.
    """

    def __init__(self, inputs: Iterable[str] = ()) -> None:
        self._inputs = set(inputs)
        self._found: dict[str, list[tuple[str, str, bytes]]] = {}
        """By event: the outcome, who made it, and a digest of what it says."""

    def add_inputs(self, ids: Iterable[str]) -> None:
        """More that went in."""
        self._inputs.update(ids)

    def add_decisions(self, values: Iterable[bytes]) -> None:
        """Decisions, as their records' values.

        Raises:
            ValueError: a value is no decision.
        """
        for value in values:
            decision = msgspec.json.decode(value, type=dict[str, object])
            content = {name: item for name, item in decision.items() if name not in TIMES}
            made_by = str(decision.get("model", ""))
            self.add(str(decision["id"]), str(decision["outcome"]), content, made_by=made_by)

    def add_letters(self, records: Iterable[tuple[Headers, bytes | None]]) -> None:
        """Dead letters or shed events, as their records' headers and values.

        Raises:
            ValueError: a record lacks the headers of a letter.
        """
        for headers, value in records:
            named = dict(headers)
            if RECEIPT_HEADER in named:
                continue  # of a letter that was put back
            source, outcome = named.get(SOURCE_HEADER), named.get(OUTCOME_HEADER)
            if source is None or outcome is None:
                msg = f"a letter needs the headers {SOURCE_HEADER} and {OUTCOME_HEADER}: {headers}"
                raise ValueError(msg)
            content = (named.get(REASON_HEADER), value)
            self.add(source.decode(), outcome.decode(), content)

    def add(self, event: str, outcome: str, content: object, *, made_by: str = "") -> None:
        """One outcome, however it was read.

        Args:
            event: the event's id.
            outcome: the word.
            content: what a repeat must say again; anything that JSON can say, and bytes.
            made_by: the model; contents are compared with those of the same.
        """
        packed = msgspec.msgpack.encode(content, order="deterministic")
        digest = hashlib.blake2b(packed, digest_size=16).digest()
        self._found.setdefault(event, []).append((outcome, made_by, digest))

    def has(self, event: str) -> bool:
        """Whether an outcome of the event was told."""
        return event in self._found

    def report(self) -> OutcomeReport:
        """What became of the inputs, as far as it was told."""
        several = {event: found for event, found in self._found.items() if len(found) > 1}
        decided = {"on_time", "degraded", "late"}
        kinds = {
            event: {"decided" if word in decided else word for word, *_ in found}
            for event, found in several.items()
        }
        mixed = {event: None for event, words in kinds.items() if len(words) > 1}
        differing = tuple(
            event for event, found in several.items() if event not in mixed and _differ(found)
        )
        return OutcomeReport(
            inputs=len(self._inputs),
            outcomes=Counter(word for found in self._found.values() for word, *_ in found),
            missing=tuple(sorted(self._inputs - self._found.keys(), key=_in_order)),
            unknown=tuple(sorted(self._found.keys() - self._inputs, key=_in_order)),
            several={event: len(found) for event, found in several.items()},
            mixed=tuple(mixed),
            differing=differing,
        )


def _differ(found: Iterable[tuple[str, str, bytes]]) -> bool:
    """Whether the same model said several things."""
    said: dict[str, bytes] = {}
    return any(said.setdefault(made_by, digest) != digest for _, made_by, digest in found)


def _in_order(event: str) -> tuple[object, ...]:
    """Ids by topic, then by their numbers."""
    topic, *numbers = event.split("/")
    return (topic, *(int(n) if n.isdigit() else -1 for n in numbers))
