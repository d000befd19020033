"""The dashboard as Grafana reads it."""

from collections.abc import Iterator
from typing import Any, Final

from streamproc.slo.deployment.panels import ROWS, Panel
from streamproc.telemetry import names

_SCHEMA: Final = 39
_WIDTH: Final = 24
_ACROSS: Final = 3
_HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """All of it; a pipeline and its job are chosen at the top."""
    jobs = f'label_values({names.OUTCOMES}{{pipeline="$pipeline"}}, job)'
    return {
        "uid": "streamproc",
        "title": "streamproc",
        "schemaVersion": _SCHEMA,
        "tags": ["streamproc"],
        "timezone": "utc",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _variable("pipeline", f"label_values({names.OUTCOMES}, pipeline)"),
                _variable("job", jobs),
            ]
        },
        "panels": list(_panels()),
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    }


def _panels() -> Iterator[dict[str, Any]]:
    number, top = 1, 0
    for title, panels in ROWS:
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": title, "gridPos": place, "panels": []}
        number, top = number + 1, top + 1
        width = _WIDTH // _ACROSS
        for index, panel in enumerate(panels):
            row, column = divmod(index, _ACROSS)
            y = top + row * _HEIGHT
            place = {"x": column * width, "y": y, "w": width, "h": _HEIGHT}
            yield _panel(number, panel, place)
            number += 1
        top += _HEIGHT * -(-len(panels) // _ACROSS)


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    custom = {"fillOpacity": 10, "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": custom}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "expr": expr,
                "legendFormat": legend,
                "datasource": _SOURCE,
            }
            for n, (expr, legend) in enumerate(panel.queries)
        ],
    }
