"""Death while what features remember is written down: what is decided afterwards is what would have been."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tests.faults.scenario import Scenario, register
from tests.support.kafka import read, stream

if TYPE_CHECKING:
    from streamproc.core import Columns
    from streamproc.testing.audit import Delivery
    from tests.faults.scenario import Act
    from tests.faults.stage import Stage

PROMISE = "nothing lost; the state comes back from the changelog: every decision is what it would have been"
POINTS = ("changelog_sent", "before_commit")
DEATHS_MAX = 30


def echo(inputs: Columns) -> Columns:
    """A model that shows what it is given."""
    return {"output": inputs["input"]}


def _killed(delivery: Delivery) -> Act:
    """Processes die with a part of the changelog sent; each event is decided by how many its key had before."""

    def act(stage: Stage) -> None:
        stage.delivery = delivery
        points = POINTS if delivery == "at_least_once" else ("changelog_sent", "in_transaction")
        stage.load()
        config = stage.config(
            features=[{"cumulative": {"field": "ts", "take": ["count"], "as": "seen"}}],
            state={"changelog": {"topic": f"{stage.source}-state", "interval": "300ms"}},
            model={"path": None, "executor": {"python": {"callable": f"{__name__}:echo"}}},
            output={"labels": [], "scores": False},
        )
        passes = [int(stage.rng.integers(2, DEATHS_MAX)) for _ in points]
        for point, nth in zip(points, passes, strict=True):
            victim = stage.start(config, fault=f"{point}:{nth}")
            assert victim.process.wait(120) < 0, victim.log_tail()
        stage.start(config)
        stage.flows()
        found = stage.finish()
        _check(stage)
        stage.say(f"killed at passes {', '.join(map(str, passes))}; {found}; all counts are right")

    return act


def _check(stage: Stage) -> None:
    """Every decision says how many events its key had had in its partition."""
    wanted: dict[str, int] = {}
    seen: Counter[tuple[int, bytes]] = Counter()
    for message in stream(stage.direct, stage.source):
        place = (message.partition(), message.key())
        seen[place] += 1
        wanted[f"{stage.source}/{message.partition()}/{message.offset()}"] = seen[place]
    for record in read(stage.direct, stage.sink):
        made = msgspec.json.decode(record.value or b"")
        counted, right = made["output"][0], wanted[made["id"]]
        assert counted == right, f"{made['id']}: counted {counted}, not {right}"


for _delivery in ("at_least_once", "exactly_once"):
    register(
        Scenario(
            name="changelog_kill"
            if _delivery == "at_least_once"
            else "exactly_once_changelog_kill",
            fault="SIGKILL while what features remember is written to the changelog, twice in a row",
            promise=PROMISE,
            act=_killed(_delivery),
            shares=True,
        )
    )
