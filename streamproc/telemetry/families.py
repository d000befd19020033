"""Prometheus families of what the definitions say: the name is all that is given, the words and labels are the table's."""

from collections.abc import Mapping
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamproc.telemetry.definitions import definition

Values: TypeAlias = "float | Mapping[tuple[str, ...], float]"
"""One value, or values by labels."""


def family(name: str, values: Values) -> Metric:
    """The counter or gauge of that name.

    Raises:
        KeyError: nobody has defined it.
    """
    described = definition(name)
    kind = CounterMetricFamily if described.kind == "counter" else GaugeMetricFamily
    if not isinstance(values, Mapping):
        return kind(name, described.text, value=values)
    made = kind(name, described.text, labels=described.labels)
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made
