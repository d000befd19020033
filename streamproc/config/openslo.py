"""OpenSLO v1 files as items of ``slo``: a subset, each key of which knows its own file and line.

What is read: one document of kind ``SLO`` with one rolling time window, budgeting by occurrences, and one objective whose
indicator has metric sources of type ``streamproc``. All else is refused, never ignored (https://github.com/OpenSLO/OpenSLO).
"""

from pathlib import Path as FilePath

from streamproc.config.tree import Node, Path
from streamproc.config.yaml_lines import read_yaml
from streamproc.core import ConfigError, Problem

_API = "openslo/v1"
_TYPE = "streamproc"
_PERCENT = 100
_UNITS = {"m": "m", "h": "h", "d": "d", "w": "d"}
_DAYS_A_WEEK = 7
_AT_MOST = ("lte", "lt")


def read_files(root: Node, folder: FilePath, problems: list[Problem]) -> None:
    """Put the objectives of OpenSLO files where the pipeline's file names them.

    Args:
        root: the pipeline's tree, changed.
        folder: where relative paths start from.
        problems: takes what is refused.
    """
    listed = root.at(("slo",))
    if listed is None or not isinstance(listed.value, list):
        return
    found: list[Node] = []
    for place, node in enumerate(listed.value):
        if not isinstance(node.value, str):
            found.append(node)
            continue
        try:
            found.append(_read(folder / node.value))
        except ConfigError as error:
            problems += error.problems
        except (OSError, ValueError) as error:  # no such file, or no text
            why = getattr(error, "strerror", None) or str(error)
            problems.append(root.problem(("slo", place), f"{node.value!r} cannot be read: {why}"))
    listed.value = found


def _read(path: FilePath) -> Node:
    root = read_yaml(path.read_text(encoding="utf-8"), origin=str(path))
    if not isinstance(root.value, dict):
        raise ConfigError(Problem("must hold one SLO, as a mapping", line=1, origin=str(path)))
    return _Slo(root).objective()


class _Slo:
    """One document.

    Args:
        root: its tree.
    """

    def __init__(self, root: Node) -> None:
        self._root = root

    def objective(self) -> Node:
        """The same as an item of ``slo``, every value at its own place.

        Raises:
            ConfigError: it is no SLO of the subset.
        """
        self._must(("apiVersion",), _API)
        self._must(("kind",), "SLO")
        self._only((), "apiVersion", "kind", "metadata", "spec")
        self._only(("metadata",), "name", "displayName", "labels", "annotations")
        spec: Path = ("spec",)
        self._only(
            spec,
            "description",
            "service",
            "indicator",
            "timeWindow",
            "budgetingMethod",
            "objectives",
        )
        self._must((*spec, "budgetingMethod"), "Occurrences")
        goal: Path = (*spec, "objectives", 0)
        self._one((*spec, "objectives"))
        self._only(goal, "displayName", "op", "value", "target", "targetPercent")
        values = {
            "name": self._node(("metadata", "name")),
            "objective": self._target(goal),
            "period": self._period((*spec, "timeWindow")),
            **self._indicator((*spec, "indicator"), goal),
        }
        return Node(values, self._root.place)

    def _target(self, goal: Path) -> Node:
        percent = self._root.at((*goal, "targetPercent"))
        if percent is not None:
            return percent
        node = self._node((*goal, "target"))
        try:
            share = float(str(node.value))
        except ValueError:
            raise self._refused((*goal, "target"), "must be a share such as 0.99") from None
        return Node(round(share * _PERCENT, 9), node.place, node.text)

    def _period(self, path: Path) -> Node:
        self._one(path)
        window: Path = (*path, 0)
        self._only(window, "duration", "isRolling")
        rolling = self._root.at((*window, "isRolling"))
        if rolling is not None and rolling.value is not True:
            raise self._refused(
                (*window, "isRolling"), "must be true: calendar windows are not read"
            )
        node = self._node((*window, "duration"))
        text = str(node.value)
        count, unit = text[:-1], text[-1:]
        if not count.isdigit() or unit not in _UNITS:
            raise self._refused((*window, "duration"), "must be a length such as 30d, 4w or 24h")
        length = int(count) * (_DAYS_A_WEEK if unit == "w" else 1)
        return Node(f"{length}{_UNITS[unit]}", node.place, node.text)

    def _indicator(self, path: Path, goal: Path) -> dict[str, Node]:
        self._only(path, "metadata", "spec")
        spec: Path = (*path, "spec")
        self._only(spec, "description", "ratioMetric", "thresholdMetric")
        if self._root.at((*spec, "thresholdMetric")) is not None:
            return self._threshold((*spec, "thresholdMetric"), goal)
        ratio: Path = (*spec, "ratioMetric")
        self._only(ratio, "counter", "good", "bad", "total")
        self._must((*ratio, "counter"), expected=True)
        for key in ("op", "value"):
            if self._root.at((*goal, key)) is not None:
                raise self._refused((*goal, key), "is for a thresholdMetric: remove it")
        kind = "good" if self._root.at((*ratio, "good")) is not None else "bad"
        total = self._source((*ratio, "total"), "outcomes")
        if total.value != "all":
            raise self._refused((*ratio, "total"), "must be spec: {outcomes: all}")
        return {kind: self._source((*ratio, kind), "outcomes")}

    def _threshold(self, path: Path, goal: Path) -> dict[str, Node]:
        metric = self._source(path, "metric")
        if metric.value not in ("latency", "freshness"):
            raise self._refused(
                (*path, "metricSource", "spec", "metric"), "must be latency or freshness"
            )
        operator = self._node((*goal, "op"))
        if operator.value not in _AT_MOST:
            raise self._refused((*goal, "op"), "must be lte: good is what is at most the value")
        node = self._node((*goal, "value"))
        try:
            length_us = round(float(str(node.value)) * 1e6)
        except ValueError:
            raise self._refused(
                (*goal, "value"), "must be a number of seconds such as 0.05"
            ) from None
        return {str(metric.value): Node(f"{length_us}us", node.place, node.text)}

    def _source(self, path: Path, key: str) -> Node:
        """What a metric source of ours names."""
        self._only(path, "metricSource")
        source: Path = (*path, "metricSource")
        self._only(source, "type", "spec", "metricSourceRef")
        self._must((*source, "type"), _TYPE)
        self._only((*source, "spec"), key)
        return self._node((*source, "spec", key))

    def _node(self, path: Path) -> Node:
        node = self._root.at(path)
        if node is None:
            raise self._refused(path, "is missing")
        return node

    def _must(self, path: Path, expected: object) -> None:
        node = self._node(path)
        if node.value != expected:
            words = str(expected).lower() if isinstance(expected, bool) else expected
            raise self._refused(path, f"must be {words}, was {node.value}")

    def _one(self, path: Path) -> None:
        node = self._node(path)
        if not isinstance(node.value, list) or len(node.value) != 1:
            raise self._refused(path, "must be a list of exactly one")

    def _only(self, path: Path, *keys: str) -> None:
        node = self._node(path)
        if not isinstance(node.value, dict):
            raise self._refused(path, f"must be a mapping of {', '.join(keys)}")
        for key in node.value:
            if key not in keys:
                words = f"is not read by streamproc: remove it (read are {', '.join(keys)})"
                raise self._refused((*path, key), words)

    def _refused(self, path: Path, message: str) -> ConfigError:
        return ConfigError(self._root.problem(path, message))
