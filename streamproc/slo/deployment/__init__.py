"""What stands in ``deploy/`` for Grafana, Prometheus, Alertmanager and the Collector, made of the metrics' names."""

from streamproc.slo.deployment.files import FILES, files

__all__ = ["FILES", "files"]
