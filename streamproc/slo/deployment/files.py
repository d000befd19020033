"""The files of ``deploy/`` that are generated: ``python -m streamproc.slo`` writes them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from streamproc.slo.alerts import BUDGET_BURN, NO_DATA
from streamproc.slo.deployment.dashboard import dashboard
from streamproc.slo.yaml_text import yaml_text
from streamproc.telemetry import names

_HEAD: Final = "# Written by python -m streamproc.slo: change streamproc/slo/deployment instead.\n"
_RULES: Final = "/etc/prometheus/rules/*.rules.yml"


def prometheus() -> dict[str, Any]:
    """What is scraped, and by which rules it is judged."""
    return {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": [_RULES],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}],
        },
        "scrape_configs": [
            {
                "job_name": "streamproc",
                "authorization": {"credentials_file": "/run/secrets/endpoints_token"},
                "static_configs": [{"targets": ["pipeline:9464"]}],
            }
        ],
    }


def rules() -> dict[str, Any]:
    """What is wrong with any pipeline, whatever it promises; objectives have rules of their own."""
    return {
        "groups": [
            {
                "name": "streamproc",
                "rules": [
                    _alert(
                        "StreamprocDown",
                        'up{job="streamproc"} == 0',
                        "page",
                        "{{ $labels.instance }} does not answer",
                        wait="1m",
                    ),
                    _alert(
                        "StreamprocLoopStalls",
                        f"max_over_time({names.LOOP_LAG}[1m]) > 0.5",
                        "ticket",
                        "the event loop of {{ $labels.instance }} came {{ $value }} s late",
                        wait="5m",
                    ),
                    _alert(
                        "StreamprocAcknowledgedLate",
                        f"rate({names.ACKED_LATE}[5m]) > 0.01 * sum by (instance, job) (rate({names.OUTCOMES}[5m]))",
                        "ticket",
                        "decisions of {{ $labels.instance }} reach the broker after their deadline",
                        wait="5m",
                    ),
                    _alert(
                        "StreamprocReloadFails",
                        f'increase({names.RELOADS}{{result!="done"}}[10m]) > 0',
                        "ticket",
                        "a reload of {{ $labels.instance }} was {{ $labels.result }}: what ran goes on",
                    ),
                    _alert(
                        "StreamprocAlertsFail",
                        f"increase({names.ALERTS_FAILED}[10m]) > 3",
                        "ticket",
                        "alerts of {{ $labels.instance }} do not reach the {{ $labels.to }}",
                    ),
                ],
            }
        ]
    }


def alertmanager() -> dict[str, Any]:
    """Pages at once, tickets together; a page keeps the tickets of its objective quiet."""
    return {
        "route": {
            "receiver": "tickets",
            "group_by": ["alertname", "pipeline", "slo"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "12h",
            "routes": [
                {
                    "receiver": "pages",
                    "matchers": ['severity="page"'],
                    "group_wait": "0s",
                    "repeat_interval": "4h",
                }
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"', f'alertname="{BUDGET_BURN}"'],
                "target_matchers": ['severity="ticket"', f'alertname="{BUDGET_BURN}"'],
                "equal": ["pipeline", "slo"],
            },
            {
                "source_matchers": ['alertname="StreamprocDown"'],
                "target_matchers": [f'alertname="{NO_DATA}"'],
            },
        ],
        "receivers": [
            {"name": name, "webhook_configs": [{"url": f"http://on-call:8080/{name}"}]}
            for name in ("pages", "tickets")
        ],
    }


def collector() -> dict[str, Any]:
    """OpenTelemetry's: takes traces, bounds its memory, hands on to the backend that the environment names."""
    pipeline = {
        "receivers": ["otlp"],
        "processors": ["memory_limiter", "batch"],
        "exporters": ["otlphttp"],
    }
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": "0.0.0.0:4317"},
                    "http": {"endpoint": "0.0.0.0:4318"},
                }
            }
        },
        "processors": {
            "memory_limiter": {
                "check_interval": "1s",
                "limit_mib": 256,
                "spike_limit_mib": 64,
            },
            "batch": {"timeout": "1s"},
        },
        "exporters": {"otlphttp": {"endpoint": "${env:OTLP_BACKEND}"}},
        "service": {"pipelines": {"traces": pipeline, "metrics": pipeline}},
    }


def data_source() -> dict[str, Any]:
    """Grafana's way to Prometheus."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "type": "prometheus",
                "url": "http://prometheus:9090",
                "isDefault": True,
            }
        ],
    }


def dashboards() -> dict[str, Any]:
    """Where Grafana finds the dashboard."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "streamproc",
                "type": "file",
                "options": {"path": "/var/lib/grafana/dashboards"},
            }
        ],
    }


def _alert(name: str, expr: str, severity: str, summary: str, *, wait: str = "") -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        **({"for": wait} if wait else {}),
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }


FILES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "prometheus.yml": prometheus,
    "rules/streamproc.rules.yml": rules,
    "alertmanager.yml": alertmanager,
    "otel-collector.yaml": collector,
    "grafana/provisioning/datasources/prometheus.yml": data_source,
    "grafana/provisioning/dashboards/streamproc.yml": dashboards,
    "grafana/dashboards/streamproc.json": dashboard,
}
"""By path in ``deploy/``."""


def files() -> dict[str, str]:
    """The texts of the files, by path in ``deploy/``."""
    return {path: _text(path, make()) for path, make in FILES.items()}


def _text(path: str, value: Mapping[str, Any]) -> str:
    if path.endswith(".json"):
        return json.dumps(value, indent=2) + "\n"
    return _HEAD + yaml_text(value)
