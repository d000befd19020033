"""Models for processes of their own, which import them by name; what they do is in their inputs."""

import ctypes
import os
import signal
import threading

import numpy as np

from streamproc.core import Array, Columns

HANG, SEGFAULT, ABORT, LEAK, RAISE = 1e9, 2e9, 3e9, 4e9, 5e9
"""A row with one of these is poison."""
_kept: list[bytearray] = []


def double(inputs: Columns) -> Array:
    """Twice the input; does what the poison in it says."""
    x = next(iter(inputs.values()))
    for poison in np.unique(x[x >= HANG]).tolist():  # type: ignore[operator]
        _die_of(poison)
    return x + x  # type: ignore[operator,no-any-return]


def _die_of(poison: float) -> None:
    if poison == HANG:
        threading.Event().wait()
    elif poison == SEGFAULT:
        ctypes.string_at(0)
    elif poison == ABORT:
        os.abort()
    elif poison == LEAK:
        while True:
            _kept.append(bytearray(16 << 20))
    else:
        msg = "no such number"
        raise ValueError(msg)


def process(inputs: Columns) -> Array:
    """The number of the process, for each row."""
    return np.full((len(inputs["x"]), 1), os.getpid())


def signals(inputs: Columns) -> Array:
    """Sends the process what a terminal and a supervisor would, and answers all the same."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return inputs["x"]


def kinds(inputs: Columns) -> Columns:
    """Every input as it came."""
    return dict(inputs)
