"""The file's tree into the parts of a ``PipelineConfig``."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from streamproc.config.docstrings import attributes
from streamproc.config.explain import explain
from streamproc.config.foreign_names import suggestion
from streamproc.config.shape import default_of, file_type, is_required, keys_of
from streamproc.config.spec import PipelineConfig
from streamproc.config.tree import Node, Path
from streamproc.core import Problem


def read_parts(root: Node, *, problems: list[Problem]) -> dict[str, Any]:
    """Read each top-level key on its own, so that one that is wrong hides nothing of the others.

    Args:
        root: the file's tree.
        problems: takes what is wrong.

    Returns:
        What could be read, by the field's name.
    """
    if not isinstance(root.value, dict):
        wrong = "is empty" if root.value is None else "is no mapping"
        problems.append(root.problem((), f"{wrong}; a pipeline begins with name: ..."))
        return {}
    keys = keys_of(PipelineConfig)
    problems += [
        root.problem((name,), f"unknown key; {suggestion(name, keys)}")
        for name in root.value
        if name not in keys
    ]
    parts: dict[str, Any] = {}
    for name, field in keys.items():
        if name in root.value:
            found, value = read_part(field.type, root.value[name].plain())
            problems += [root.problem((name, *path), message) for path, message in found.items()]
            if value is not None:
                parts[field.name] = value[0]
        elif not is_required(field):
            parts[field.name] = default_of(field)
        else:
            meaning = attributes(PipelineConfig)[field.name].rstrip(".")
            problems.append(root.problem((name,), f"is missing: {meaning}"))
    return parts


def read_part(
    annotation: Any,  # noqa: ANN401 - a type as a value
    value: object,
) -> tuple[dict[Path, str], tuple[object] | None]:
    """Read one part; what is wrong is left out and the rest read again.

    A constructor only speaks once its arguments are of the right types, so one reading would not tell all.

    Returns:
        What is wrong, by its path in the part; and the part, unless more was wrong than unknown keys.
    """
    found: dict[Path, str] = {}
    usable = True
    while True:
        try:
            part = _reader(annotation).validate_python(value)
        except ValidationError as error:
            left_out = False
            for detail in error.errors(include_url=False):
                path, message = explain(detail, annotation)
                found.setdefault(path, message)
                usable = usable and detail["type"] == "extra_forbidden"
                left_out = _leave_out(value, path) or left_out
            if not left_out:
                return found, None
        else:
            return found, (part,) if usable else None


def _leave_out(value: object, path: Path) -> bool:
    """Remove what stands at a path, a whole list for one of its items; False if nothing is there."""
    keys = list(path)
    while keys and isinstance(keys[-1], int):
        keys.pop()
    for key in keys[:-1]:
        value = value.get(key) if isinstance(value, dict) else None
    return bool(keys) and isinstance(value, dict) and value.pop(keys[-1], keys) is not keys


@cache
def _reader(annotation: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a type as a value
    return TypeAdapter(file_type(annotation))
