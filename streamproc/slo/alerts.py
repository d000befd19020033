"""What is told, to whom it is new: each alert once when it begins, again while it lasts, and once when it is over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from streamproc.core import NS_PER_S
from streamproc.slo.options import percent
from streamproc.slo.watch import Burn, Standing
from streamproc.slo.windows import duration_text

SCHEMA_VERSION: Final = 1
BUDGET_BURN: Final = "StreamprocBudgetBurn"
NO_DATA: Final = "StreamprocNoData"
_NEVER: Final = "0001-01-01T00:00:00Z"
"""Alertmanager's end of what has not ended."""
_FNV_OFFSET: Final = 14_695_981_039_346_656_037
_FNV_PRIME: Final = 1_099_511_628_211
_64_BITS: Final = (1 << 64) - 1
_SEPARATOR: Final = b"\xff"


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert, as Alertmanager's webhooks write it and as it stands in ``alerts.topic``.

    Attributes:
        status: ``firing`` or ``resolved``.
        labels: what it is; the same labels are the same alert.
        annotations: words for people.
        starts_at: when it began, RFC 3339.
        ends_at: when it was over; the year 1 while it is not.
        generator_url: empty: it comes from the pipeline itself.
        fingerprint: of the labels, 16 hexadecimal digits, the same as Alertmanager's.
        schema_version: of this form.
    """

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str = _NEVER
    generator_url: str = msgspec.field(default="", name="generatorURL")
    fingerprint: str = ""
    schema_version: int = msgspec.field(default=SCHEMA_VERSION, name="schemaVersion")


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so now and should not be.

    Attributes:
        labels: what it is.
        annotations: words for people.
    """

    labels: dict[str, str]
    annotations: dict[str, str]


class AlertBook:
    """Knows what was told.

    Args:
        repeat_ns: what still fires is told again after so long.
    """

    def __init__(self, repeat_ns: int) -> None:
        self.repeat_ns = repeat_ns
        self._firing: dict[str, _Firing] = {}

    @property
    def firing(self) -> list[Alert]:
        """What fires now."""
        return [fire.alert for fire in self._firing.values()]

    def update(self, now_ns: int, conditions: Iterable[Condition]) -> list[Alert]:
        """What is to be told now.

        Args:
            now_ns: the present instant, ns since 1970.
            conditions: all that is not as it should be.
        """
        told: list[Alert] = []
        there = {fingerprint(condition.labels): condition for condition in conditions}
        for digest, condition in there.items():
            fire = self._firing.get(digest)
            began = fire.alert.starts_at if fire else instant_text(now_ns)
            alert = Alert(
                "firing", condition.labels, condition.annotations, began, fingerprint=digest
            )
            if fire is None or now_ns - fire.told_ns >= self.repeat_ns:
                self._firing[digest] = _Firing(alert, now_ns)
                told.append(alert)
            else:
                self._firing[digest] = _Firing(alert, fire.told_ns)
        for digest in [digest for digest in self._firing if digest not in there]:
            alert = self._firing.pop(digest).alert
            told.append(
                msgspec.structs.replace(alert, status="resolved", ends_at=instant_text(now_ns))
            )
        return told

    def restore(self, firing: Iterable[Alert]) -> None:
        """What fired when another life ended; it is told once more where it still does."""
        self._firing = {alert.fingerprint: _Firing(alert, -(1 << 62)) for alert in firing}


@dataclass(frozen=True, slots=True)
class _Firing:
    alert: Alert
    told_ns: int


def conditions_of(pipeline: str, standing: Standing) -> list[Condition]:
    """What is wrong with an objective."""
    objective = standing.objective
    common = {"pipeline": pipeline, "slo": objective.name}
    found = [
        Condition(
            {
                "alertname": BUDGET_BURN,
                **common,
                "severity": burn.pair.severity,
                "window": burn.pair.name,
            },
            _words_of_burn(pipeline, standing, burn),
        )
        for burn in standing.burns
        if burn.firing
    ]
    if standing.absent:
        length = duration_text(int(objective.absent))
        words = {"summary": f"{pipeline}: no event counted towards {objective.name} for {length}"}
        found.append(Condition({"alertname": NO_DATA, **common, "severity": "page"}, words))
    return found


def _words_of_burn(pipeline: str, standing: Standing, burn: Burn) -> dict[str, str]:
    objective = standing.objective
    long, short = (duration_text(n) for n in (burn.pair.long_ns, burn.pair.short_ns))
    return {
        "summary": f"{pipeline}: {objective.name} burns its budget {burn.pair.burn:g} times too fast",
        "description": f"over {long} {burn.long:.1f} times, over {short} {burn.short:.1f} times as fast as "
        f"{percent(objective.objective / 100)} allows; {percent(max(0.0, standing.budget_left))} of the budget is left",
    }


def fingerprint(labels: Mapping[str, str]) -> str:
    """The labels' FNV-1a hash, as Prometheus and Alertmanager make it (prometheus/common, ``model/signature.go``)."""
    digest = _FNV_OFFSET
    for name in sorted(labels):
        for part in (name.encode(), labels[name].encode()):
            for byte in part + _SEPARATOR:
                digest = ((digest ^ byte) * _FNV_PRIME) & _64_BITS
    return f"{digest:016x}"


def instant_text(instant_ns: int) -> str:
    """RFC 3339 with milliseconds: ``2026-03-01T12:00:00.250Z``."""
    instant = datetime.fromtimestamp(instant_ns / NS_PER_S, tz=UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_schema() -> dict[str, Any]:
    """The schema of a record in ``alerts.topic``; its key is the fingerprint."""
    (_,), definitions = msgspec.json.schema_components([Alert])
    made: dict[str, Any] = definitions["Alert"]
    words = {
        "status": "firing, or resolved when it is over.",
        "labels": "What it is: alertname, pipeline, slo, severity and, of a burn rate, window.",
        "annotations": "Words for people.",
        "startsAt": "When it began, RFC 3339.",
        "endsAt": "When it was over; the year 1 while it is not.",
        "generatorURL": "Empty: it comes from the pipeline itself.",
        "fingerprint": "Of the labels, the same as Alertmanager's.",
        "schemaVersion": "Of this form.",
    }
    properties = {
        name: {**made["properties"][name], "description": text} for name, text in words.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "streamproc alert",
        "description": "The value of a record in alerts.topic; its key is the fingerprint. Unknown keys may be added in "
        "later versions of the same schemaVersion.",
        "type": "object",
        "required": list(words),
        "properties": properties,
    }
