"""How objectives stand, as ``/api/status`` and ``slo status`` tell it."""

from typing import Any

from streamproc.slo.evaluator import Evaluator
from streamproc.slo.watch import Standing
from streamproc.slo.windows import duration_text


def view_of(evaluator: Evaluator) -> list[dict[str, Any]]:
    """Each objective as a JSON object: numbers, and names from the configuration."""
    return [
        {
            **standing_view(standing),
            "acting": bool(
                (brake := evaluator.brakes.get(standing.objective.name)) and brake.engaged
            ),
        }
        for standing in evaluator.standings
    ]


def standing_view(standing: Standing) -> dict[str, Any]:
    """One objective."""
    objective = standing.objective
    return {
        "name": objective.name,
        "objective": objective.objective,
        "period": duration_text(objective.period_ns),
        "in_session": standing.in_session,
        "events": round(standing.period.total),
        "bad": round(standing.period.bad),
        "good_percent": None
        if standing.good_share is None
        else round(100 * standing.good_share, 6),
        "budget_left": round(standing.budget_left, 6),
        "no_data": standing.absent,
        "burn": [
            {
                "window": duration_text(burn.pair.long_ns),
                "short_window": duration_text(burn.pair.short_ns),
                "threshold": burn.pair.burn,
                "severity": burn.pair.severity,
                "rate": round(burn.long, 4),
                "short_rate": round(burn.short, 4),
                "firing": burn.firing,
            }
            for burn in standing.burns
        ],
    }
