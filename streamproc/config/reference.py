"""The reference of all keys in ``docs/configuration.md``, made of the dataclasses and their docstrings."""

import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from streamproc.config.docstrings import attributes, summary
from streamproc.config.scalars import SCALARS
from streamproc.config.shape import (
    CODECS,
    choice_of,
    is_required,
    is_section,
    keys_of,
    plain_default,
)
from streamproc.config.spec import PipelineConfig

BEGIN = "<!-- reference: begin (python -m streamproc.config writes it) -->"
END = "<!-- reference: end -->"


def with_reference(page: str) -> str:
    """The page with the reference between its marks made new.

    Args:
        page: Markdown with ``BEGIN`` and ``END``.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def reference() -> str:
    """All keys with their types, defaults and meanings, a table a section."""
    return "\n".join(_section("", PipelineConfig))


def words_for(annotation: Any) -> str:  # noqa: ANN401 - a type as a value
    """A type as people call it."""
    arguments = [a for a in get_args(annotation) if a is not types.NoneType]
    choice = choice_of(annotation)
    if annotation in SCALARS:
        words = SCALARS[annotation].words
    elif choice is not None:
        words = "text or " * (str in get_args(annotation))
        words += "mapping with " + " or ".join(f"`{name}`" for name in choice)
        words += " or null" * (types.NoneType in get_args(annotation))
    elif is_section(annotation):
        words = "mapping"
    elif get_origin(annotation) is Literal:
        words = ", ".join(f"`{name}`" for name in arguments)
    elif get_origin(annotation) in (Sequence, tuple):
        words = f"list of {words_for(arguments[0])}"
    elif get_origin(annotation) is Mapping:
        words = f"mapping to {words_for(arguments[1])}"
    else:
        nullable = len(arguments) < len(get_args(annotation))
        words = " or ".join(dict.fromkeys(words_for(a) for a in arguments)) + " or null" * nullable
    return words


def _section(path: str, section: type) -> Iterator[str]:
    """One table, and those of the sections below it."""
    if path:
        yield f"### `{path}`\n\n{_markdown(summary(section))}\n"
    if keys_of(section):
        yield "| key | type | default | meaning |\n|---|---|---|---|"
    below: list[tuple[str, type]] = []
    for key, field in keys_of(section).items():
        annotation: Any = field.type
        default = "required" if is_required(field) else f"`{json.dumps(plain_default(field))}`"
        sections = list(_sections(f"{path}.{key}".lstrip("."), annotation))
        if sections and default == "`null`":
            default = "see below"
        below += sections
        meaning = _markdown(attributes(section).get(field.name, ""))
        yield f"| `{key}` | {words_for(annotation)} | {default} | {meaning} |"
    if keys_of(section):
        yield ""
    for inner_path, inner in below:
        yield from _section(inner_path, inner)


def _sections(path: str, annotation: Any) -> Iterator[tuple[str, type]]:  # noqa: ANN401
    choice = choice_of(annotation)
    if choice is not None:
        yield from ((f"{path}.{name}", kind) for name, kind in choice.items())
        return
    if is_section(annotation):
        yield path, annotation
        return
    if get_origin(annotation) is Mapping and choice_of(get_args(annotation)[1]) == CODECS:
        return  # each as where it stands alone
    for member in get_args(annotation):
        yield from _sections(path, member)


def _markdown(text: str) -> str:
    return re.sub(r"\bNone\b", "null", text).replace("``", "`").replace("|", "\\|")
