"""What each operator means, as a plain loop over the events of a key: slow, and easy to read."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamproc.features.hashing import fnv1a
from streamproc.features.operators import (
    AsOf,
    ClosedWindow,
    Cumulative,
    Difference,
    Ewm,
    KeySequence,
    Lag,
    Last,
    Quantile,
    Return,
    Rolling,
    TimeSince,
)

Event = Mapping[str, Any]
"""``key``, ``time_ns``, and the fields."""


def column(operator: Any, events: Sequence[Event], *, ttl_ns: int | None) -> dict[str, list[Any]]:
    """What an operator makes of events in order of arrival."""
    made: dict[str, list[Any]] = {}
    for number, event in enumerate(events):
        seen = [e for e in events[: number + 1] if e["key"] == event["key"]]
        young = [e for e in seen if ttl_ns is None or e["time_ns"] > event["time_ns"] - ttl_ns]
        for name, value in _MEANINGS[type(operator)](operator, event, seen, young).items():
            made.setdefault(name, []).append(value)
    return made


def _lag(o: Lag, event: Event, seen: Sequence[Event], young: Sequence[Event]) -> dict[str, Any]:
    before = _before(seen, young, o.by)
    return {f"{o.field}_lag_{o.by}": o.fill if before is None else before[o.field]}


def _difference(o: Difference, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    before = _before(seen, young, o.by)
    value = o.fill if before is None else event[o.field] - before[o.field]
    return {f"{o.field}_difference_{o.by}": value}


def _return(o: Return, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    before = _before(seen, young, o.by)
    value = o.fill
    if before is not None and before[o.field] != 0:
        quotient = event[o.field] / before[o.field]
        if not o.log:
            value = quotient - 1.0
        elif quotient > 0:
            value = math.log(quotient)
    return {f"{o.field}_{'log_' * o.log}return_{o.by}": value}


def _last(o: Last, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    values = [e[o.field] if e in young else o.fill for e in seen[-o.n :]]
    return {f"{o.field}_last_{o.n}": [o.fill] * (o.n - len(values)) + values}


def _time_since(o: TimeSince, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    before = [e for e in seen[:-1] if o.when is None or _holds(o.when, e)][-1:]
    if not before or before[0] not in young:
        return {o.as_: o.fill}
    return {o.as_: (event["time_ns"] - before[0]["time_ns"]) / 1e9}


def _rolling(o: Rolling, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    x = [e[o.field] for e in _window(o, event, seen, young)]
    total = _sum(x)
    mean = total / len(x) if x else o.fill
    squares = _sum([(v - mean) * (v - mean) for v in x])
    variance = squares / (len(x) - 1) if len(x) > 1 else o.fill
    std = math.sqrt(variance) if len(x) > 1 else o.fill
    scored = len(x) > 1 and std > 0
    known = {
        "count": float(len(x)),
        "sum": total,
        "mean": mean,
        "variance": variance,
        "std": std,
        "min": min(x, default=o.fill),
        "max": max(x, default=o.fill),
        "rate": len(x) / (int(o.time) / 1e9) if o.time else 0.0,
        "z_score": (event[o.field] - mean) / std if scored else o.fill,
    }
    begin = f"{o.field}_{o.events or o.time}"
    return {f"{begin}_{name}": known[name] for name in o.take}


def _closed(o: ClosedWindow, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    looked = [e for e in seen if o.when is None or _holds(o.when, e)][-(o.max_events + 1) :]
    looked = [e for e in looked if e in young]
    before = [e for e in looked if e is not event]
    t = event["time_ns"]
    newest = max((e["time_ns"] for e in before), default=t)
    if o.gap is not None:
        closes = bool(before) and t - newest > o.gap + o.grace
        start = newest
        for e in sorted(before, key=lambda e: -e["time_ns"]):
            if start - e["time_ns"] > o.gap:
                break
            start = e["time_ns"]
        members = [e for e in before if e["time_ns"] >= start]
    else:
        size, every = int(o.size or 0), int(o.every or o.size or 0)
        ended = [(max(t, newest) - o.grace) // every * every, newest // every * every + size]
        end = min(ended)
        members = [e for e in looked if end - size <= e["time_ns"] < end]
        done = (newest - o.grace) // every * every
        closes = bool(before) and end > done and bool(members)
    same = Rolling(field=o.field, take=o.take, events=len(members) or 1, fill=o.fill)
    made = _rolling(same, event, members, members)
    begin = f"{o.field}_{same.events}"
    found = {name.replace(begin, f"{o.field}_window"): value for name, value in made.items()}
    return found | {f"_{o.field}_window_closes": float(closes)}


def _quantile(o: Quantile, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    x = sorted(e[o.field] for e in _window(o, event, seen, young))
    made = []
    for q in o.q:
        at = (len(x) - 1) * q
        low = math.floor(at)
        high = min(low + 1, len(x) - 1)
        made.append(x[low] + (x[high] - x[low]) * (at - low) if x else o.fill)
    return {f"{o.field}_{o.events or o.time}_quantile": made}


def _ewm(o: Ewm, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    if o.half_life is not None:
        members = _window(
            Rolling(field=o.field, take=["sum"], time=10 * o.half_life, max_events=o.max_events, when=o.when),  # type: ignore[arg-type]
            event, seen, young,
        )  # fmt: skip
        ages = [(event["time_ns"] - e["time_ns"]) / int(o.half_life) for e in members]
    else:
        n = o.events or math.ceil(10 * (o.half_life_events or 0))
        members = _window(
            Rolling(field=o.field, take=["sum"], events=n, when=o.when), event, seen, young
        )
        ages = [i / (o.half_life_events or 0) for i in reversed(range(len(members)))]
    weights, x = [2.0**-age for age in ages], [e[o.field] for e in members]
    total = _sum(weights)
    if not members:
        return {f"{o.field}_ewm_{name}": o.fill for name in o.take}
    mean = _sum([w * v for w, v in zip(weights, x, strict=True)]) / total
    squares = [w * ((v - mean) * (v - mean)) for w, v in zip(weights, x, strict=True)]
    variance = _sum(squares) / total
    known = {"mean": mean, "variance": variance, "std": math.sqrt(variance)}
    return {f"{o.field}_ewm_{name}": known[name] for name in o.take}


def _cumulative(o: Cumulative, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    weight = total = squares = 0.0
    mean, newest, members = o.fill, seen[0]["time_ns"], []
    for e in seen:
        reached = max(newest, e["time_ns"])
        fades = o.half_life is not None
        factor = 2.0 ** -((reached - newest) / int(o.half_life or 1)) if fades else 1.0
        own = 2.0 ** -((reached - e["time_ns"]) / int(o.half_life or 1)) if fades else 1.0
        newest, weight = reached, weight * factor
        total, squares = total * factor, squares * factor
        if o.when is None or _holds(o.when, e):
            members.append(e[o.field])
            before, had = mean, weight > 0
            weight, total = weight + own, total + own * e[o.field]
            mean = total / weight
            if had:
                squares += own * ((e[o.field] - before) * (e[o.field] - mean))
        elif weight > 0:
            mean = total / weight
    squares = max(squares, 0.0)
    enough = len(members) > (o.half_life is None)
    variance = squares / (weight - (o.half_life is None)) if enough else o.fill
    known = {
        "count": weight,
        "sum": total,
        "mean": total / weight if members else o.fill,
        "variance": variance,
        "std": math.sqrt(variance) if enough else o.fill,
        "min": min(members, default=o.fill),
        "max": max(members, default=o.fill),
    }
    return {f"{o.field}_cumulative_{name}": known[name] for name in o.take}


def _sequence(o: KeySequence, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    steps = [e for e in seen if o.when is None or _holds(o.when, e)][-o.steps :]
    rows = [[e[f] if e in young else o.fill for f in o.fields] for e in steps]
    made = {o.as_: [[o.fill] * len(o.fields)] * (o.steps - len(rows)) + rows}
    if o.every is None:
        return made
    shift_ns = fnv1a(event["key"] or b"") % o.every
    stretches = [(e["time_ns"] + shift_ns) // o.every for e in steps if e in young]
    whole = len(stretches) == o.steps and (o.when is None or _holds(o.when, event))
    due = whole and stretches[-1] > max(stretches[:-1])
    return made | {f"_{o.as_}_due": float(due)}


def _as_of(o: AsOf, event: Event, seen: Any, young: Any) -> dict[str, Any]:
    side = [e for e in seen if _holds(o.when, e)][-o.max_events :]
    valid = [
        e for e in side if event["time_ns"] - int(o.within) < e["time_ns"] <= event["time_ns"] and e in young
    ]  # fmt: skip
    best = max(enumerate(valid), key=lambda pair: (pair[1]["time_ns"], pair[0]), default=None)
    return {f"as_of_{f}": o.fill if best is None else best[1][f] for f in o.fields}


def _window(o: Any, event: Event, seen: Sequence[Event], young: Sequence[Event]) -> list[Event]:
    size = o.events or o.max_events
    last = [e for e in seen if o.when is None or _holds(o.when, e)][-size:]
    last = [e for e in last if e in young]
    if o.time is None:
        return last
    begin_ns = event["time_ns"] - int(o.time)
    return [e for e in last if begin_ns < e["time_ns"] <= event["time_ns"]]


def _before(seen: Sequence[Event], young: Sequence[Event], by: int) -> Event | None:
    if len(seen) <= by:
        return None
    return seen[-1 - by] if seen[-1 - by] in young else None


def _holds(when: str, event: Event) -> bool:
    return bool(eval(when, {}, dict(event)))  # noqa: S307 - the test's own text


def _sum(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


_MEANINGS: Mapping[type, Callable[[Any, Event, Sequence[Event], Sequence[Event]], dict[str, Any]]]
_MEANINGS = {
    Lag: _lag,
    Difference: _difference,
    Return: _return,
    Last: _last,
    TimeSince: _time_since,
    Rolling: _rolling,
    ClosedWindow: _closed,
    Quantile: _quantile,
    Ewm: _ewm,
    Cumulative: _cumulative,
    KeySequence: _sequence,
    AsOf: _as_of,
}
