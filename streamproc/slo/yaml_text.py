"""YAML as people write it: what stands in two places is written twice."""

from collections.abc import Mapping
from typing import Any

import yaml


def yaml_text(value: Mapping[str, Any]) -> str:
    """The text of a file, in the order of the keys, its lines as long as they are."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=10_000)
    return text


class _Dumper(yaml.SafeDumper):
    """Without anchors: the same labels stand in many rules."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True
