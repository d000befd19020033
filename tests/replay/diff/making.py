"""Sides of a comparison, made by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamproc.replay.coordinates import Coordinates
from streamproc.replay.diff import DecisionRow, OutcomeRow, Side


@dataclass
class Book:
    """What a capture would tell."""

    ended: list[OutcomeRow] = field(default_factory=list)
    decided: list[DecisionRow] = field(default_factory=list)

    def outcomes(self) -> Sequence[OutcomeRow]:
        return self.ended

    def decisions(self) -> Sequence[DecisionRow]:
        return self.decided

    def decide(
        self,
        offset: int,
        output: object,
        *,
        outcome: str = "on_time",
        partition: int = 0,
        key: str | None = "a",
        latency_ns: int = 2_000_000,
    ) -> None:
        at = Coordinates("ticks", partition, offset)
        self.ended.append(OutcomeRow(at, outcome, "", latency_ns))
        value = {"id": str(at), "decided_ns": latency_ns, "key": key, "output": output}
        self.decided.append(DecisionRow(at, outcome, json.dumps(value).encode()))

    def give_up(self, offset: int, *, reason: str = "expired", outcome: str = "shed") -> None:
        self.ended.append(OutcomeRow(Coordinates("ticks", 0, offset), outcome, reason, 1_000))

    def side(self, name: str = "a.mcap") -> Side:
        return Side(name, self)
