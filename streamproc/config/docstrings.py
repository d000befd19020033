"""What a dataclass's docstring says of it and of its fields: the one place where keys are described."""

import inspect
import re
import textwrap
from functools import cache

_ENTRY = re.compile(r"^(\w+): (.*)$")


@cache
def attributes(cls: type) -> dict[str, str]:
    """The text of each entry under ``Attributes:``, in one line; a base class's where it has none of its own."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _own(base)
    return found


def _own(cls: type) -> dict[str, str]:
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(section).splitlines():
        if line and not line.startswith(" ") and (entry := _ENTRY.match(line)):
            name = entry[1]
            found[name] = entry[2]
        elif name and line.startswith(" "):
            found[name] += " " + line.strip()
        else:
            name = ""
    return found


@cache
def summary(cls: type) -> str:
    """The docstring's first paragraph, in one line."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())
