"""A configuration as a file would say it, without secrets: what a recording keeps of the pipeline."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import yaml

from streamproc.config.secrets import HIDDEN, Secret, is_sensitive
from streamproc.config.shape import choice_of_kind, default_of, file_key, is_required
from streamproc.config.spec import PipelineConfig
from streamproc.core import Duration, Size

_LEFT_OUT: Final = frozenset({"record"})
"""Of recording itself; a replay that recorded into the same folder would be a surprise."""


def written(config: PipelineConfig) -> str:
    """The YAML that makes this configuration; what is as by default is left out.

    Args:
        config: made from a file or in Python.
    """
    parts = {
        field.name: getattr(config, field.name)
        for field in fields(PipelineConfig)
        if field.name not in _LEFT_OUT
        and (is_required(field) or getattr(config, field.name) != default_of(field))
    }
    return yaml.safe_dump(
        {name: plain(value) for name, value in parts.items()}, sort_keys=False, width=120
    )


def plain(value: object) -> Any:  # noqa: ANN401 - what YAML has
    """A part of a configuration as a file would say it; what is as by default is left out, and secrets are hidden."""
    match value:
        case Secret():
            return HIDDEN
        case Duration() | Size() | str():
            return str(value)
        case Mapping():
            return {
                str(key): HIDDEN if is_sensitive(str(key)) else plain(inner)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _section(value)
        case _:
            return value


def _section(value: Any) -> Any:  # noqa: ANN401 - a dataclass
    inner = {
        file_key(field): plain(own)
        for field in fields(value)
        if is_required(field)
        if (own := getattr(value, field.name)) is not None
    } | {
        file_key(field): plain(own)
        for field in fields(value)
        if not is_required(field) and (own := getattr(value, field.name)) != default_of(field)
    }
    kinds = choice_of_kind(type(value))
    name = next((name for name, kind in kinds.items() if kind is type(value)), None)
    return inner if name is None else {name: inner}
