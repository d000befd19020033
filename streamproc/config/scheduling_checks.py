"""What no single key shows of lanes, shed policies and batching."""

import math
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from streamproc.codecs import ArrowCodec, Codec, types_of
from streamproc.config.tree import Finding, Path
from streamproc.engine import Deadline, EventTime
from streamproc.features import Expression
from streamproc.scheduling import (
    Batching,
    Lane,
    Ordering,
    Priority,
    ShedName,
    ShedPolicy,
    SkipAhead,
    Utility,
    shed_policies,
)
from streamproc.telemetry import names

_SHARES_SPARE = 1e-9
"""Above 1, for shares such as 0.1 that no float is."""
_DELAY_DEFAULT = Batching().max_queue_delay


def _lanes(lanes: Sequence[Lane]) -> Iterator[Finding]:
    taken = [lane.name for lane in lanes]
    for place, name in enumerate(taken):
        path: Path = ("lanes", place, "name")
        if name in (names.LANE_DEFAULT, names.LANE_UNKNOWN):
            yield path, f"{name!r} is the lane of the events that no other takes; name it otherwise"
        elif not name:
            yield path, "must have letters: it is a label of the metrics"
        elif name in taken[:place]:
            yield path, f"{name!r} is named before; each lane has a name of its own"
    total = math.fsum(lane.share for lane in lanes)
    if total > 1 + _SHARES_SPARE:
        shares = " + ".join(f"{lane.share:g}" for lane in lanes)
        yield ("lanes",), f"the shares must add up to at most 1: {shares} is {total:g}"


def _lane_expressions(codec: Codec, lanes: Sequence[Lane]) -> Iterator[Finding]:
    for place, lane in enumerate(lanes):
        path: Path = ("lanes", place, "when")
        when = yield from _expression(codec, lane.when, path)
        if when is not None and not when.is_condition:
            yield path, f"must be a condition, such as price > 10, was a number: {lane.when!r}"


def _lanes_in_order(lanes: Sequence[Lane], ordering: Ordering) -> Iterator[Finding]:
    if lanes and ordering == "partition":
        yield (
            ("ordering",),
            "partition cannot be kept with several lanes: one overtakes another; write key or none",
        )


def _cost(codec: Codec, batching: Batching) -> Iterator[Finding]:
    if batching.cost is not None:
        yield from _number(codec, batching.cost, ("batching", "cost"))


def _queue_delay(batching: Batching) -> Iterator[Finding]:
    if batching.max_queue_delay != _DELAY_DEFAULT and batching.policy != "fixed":
        yield (
            ("batching", "max_queue_delay"),
            f"is for policy: fixed; {batching.policy} has its own rule: remove it, or write policy: fixed",
        )


def _shed(shed: Sequence[ShedPolicy | ShedName]) -> Iterator[Finding]:
    """Names that Python users may have written, and policies that are there twice."""
    kinds = []
    for place, policy in enumerate(shed):
        try:
            (made,) = shed_policies([policy])
        except ValueError as error:
            yield ("shed", place), str(error)
            continue
        if type(made) in kinds:
            yield ("shed", place), "is named twice; keep one"
        kinds.append(type(made))


def _utility(codec: Codec, shed: Sequence[ShedPolicy | ShedName]) -> Iterator[Finding]:
    for place, policy in enumerate(shed):
        if isinstance(policy, Utility):
            yield from _number(codec, policy.value, ("shed", place, "utility", "value"))


def _priority(shed: Sequence[ShedPolicy | ShedName], lanes: Sequence[Lane]) -> Iterator[Finding]:
    for place, policy in enumerate(shed):
        if (isinstance(policy, Priority) or policy == "priority") and not lanes:
            yield (
                ("shed", place),
                "priority needs lanes: without them all events count alike; add lanes, or remove it",
            )


def _skip_ahead(
    shed: Sequence[ShedPolicy | ShedName], event_time: EventTime, deadline: Deadline
) -> Iterator[Finding]:
    for place, policy in enumerate(shed):
        if not (isinstance(policy, SkipAhead) or policy == "skip_ahead"):
            continue
        path: Path = ("shed", place)
        if event_time.field is not None:
            yield (
                path,
                "skip_ahead looks for records by their timestamps: it needs event_time without a field",
            )
        elif deadline.from_ == "arrival":
            yield (
                path,
                "skip_ahead needs deadline: {from: event_time}: counted from the arrival nothing is too old",
            )
        elif deadline.latest is not None and deadline.latest > deadline.budget:
            yield (
                path,
                "skip_ahead would jump over events that deadline.latest grants more: remove deadline.latest",
            )
        elif deadline.field is not None:
            yield (
                path,
                "skip_ahead cannot know deadlines that are a field: remove deadline.field, or skip_ahead",
            )


def _number(codec: Codec, text: str, path: Path) -> Iterator[Finding]:
    expression = yield from _expression(codec, text, path)
    if expression is not None and expression.is_condition:
        yield path, f"must be a number, such as size * price, was a condition: {text!r}"


def _expression(codec: Codec, text: str, path: Path) -> Generator[Finding, None, Expression | None]:
    """An expression over the decoded fields, if it is one, and their types are known."""
    if isinstance(codec, ArrowCodec) and not codec.fields:
        return None  # the fields are those that are named, with the model's types: looked at with the model
    try:
        return Expression.parse(text, types_of(codec.fields))
    except ValueError as error:
        yield path, str(error)
        return None


SCHEDULING_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_lanes, ("lanes",)),
    (_lane_expressions, ("codec", "lanes")),
    (_lanes_in_order, ("lanes", "ordering")),
    (_cost, ("codec", "batching")),
    (_queue_delay, ("batching",)),
    (_shed, ("shed",)),
    (_utility, ("codec", "shed")),
    (_priority, ("shed", "lanes")),
    (_skip_ahead, ("shed", "event_time", "deadline")),
)
"""As those of ``checks``: each check and the parts that it takes."""
