"""The user's own functions, by name."""

import importlib
from collections.abc import Callable
from typing import cast

from streamproc.core.errors import ConfigError, Problem

UserFunction = Callable[..., object]  # type: ignore[explicit-any]  # any arguments


def load_function(reference: str, *, key: str = "") -> UserFunction:
    """The function that ``package.module:name`` names.

    Args:
        reference: where it is.
        key: the configuration's key that names it, for the message.

    Raises:
        ConfigError: it cannot be imported, is not there, or is no function.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigError(
            Problem(f"{reference!r} must be package.module:name, such as mypkg.decide:decide", key)
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        msg = f"cannot import {module_name!r}: {type(error).__name__}: {error}"
        raise ConfigError(Problem(msg, key)) from error
    function = getattr(module, name, None)
    if not callable(function):
        found = "there is no such name" if function is None else f"it is {type(function).__name__}"
        raise ConfigError(Problem(f"{reference!r} is no function: {found} in {module_name}", key))
    return cast("UserFunction", function)
