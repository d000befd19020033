"""Other files than the pipeline's, in the same manner: a dataclass, unknown keys refused, each error with its line."""

from pathlib import Path
from typing import TypeVar

from streamproc.config.validate import read_part
from streamproc.config.yaml_lines import read_yaml
from streamproc.core import ConfigError, Problem

_Kind = TypeVar("_Kind")


def read_document(path: Path, kind: type[_Kind]) -> _Kind:
    """Read a YAML file into a dataclass.

    Args:
        path: the file.
        kind: the dataclass, whose docstring tells what each key means.

    Raises:
        ConfigError: it cannot be read, or all that is wrong in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(Problem(f"cannot be read: {reason}", origin=str(path))) from error
    root = read_yaml(text, origin=str(path))
    if not isinstance(root.value, dict):
        raise ConfigError(root.problem((), "is no mapping"))
    found, part = read_part(kind, root.plain())
    if found or part is None:
        raise ConfigError(*(root.problem(where, message) for where, message in found.items()))
    (value,) = part
    if not isinstance(value, kind):
        raise ConfigError(root.problem((), f"is no {kind.__name__.lower()}"))
    return value
