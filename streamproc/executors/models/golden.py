"""Golden inputs: what a model has to answer before it decides anything."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamproc.core import Array, Columns, ConfigError, Executor, Problem

KEY = "model.golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """Inputs and the outputs that the model has to give for them.

    Attributes:
        path: a ``.npz`` file with an array for each of the model's inputs, [n, ...], and one for each output that
            is compared, all under the model's own names.
        rtol: how far an output may be off, as a part of the expected one.
        atol: and beside that.
    """

    path: str
    rtol: float = 1e-3
    atol: float = 1e-5

    def __post_init__(self) -> None:
        if self.rtol < 0 or self.atol < 0:
            msg = f"rtol and atol must not be below 0, were {self.rtol} and {self.atol}"
            raise ValueError(msg)


def check_golden(executor: Executor, golden: Golden) -> None:
    """See that a model answers golden inputs as it has to.

    Args:
        executor: the model.
        golden: what it has to answer.

    Raises:
        ConfigError: the file is none, or the answers are others.
    """
    arrays = read_arrays(golden.path, f"{KEY}.path")
    names = {spec.name for spec in executor.info.inputs} or {"input"} & arrays.keys()
    missing = sorted(names - arrays.keys())
    if missing or not names:
        text = f"{golden.path} has no input {', '.join(missing) or 'input'}: it has {', '.join(arrays)}"
        raise ConfigError(Problem(text, f"{KEY}.path"))
    expected = {name: array for name, array in arrays.items() if name not in names}
    if not expected:
        text = f"{golden.path} has no expected output: it has {', '.join(arrays)}"
        raise ConfigError(Problem(text, f"{KEY}.path"))
    try:
        given = executor.run({name: arrays[name] for name in names})
    except Exception as error:
        text = f"the model fails on the golden inputs: {type(error).__name__}: {error}"
        raise ConfigError(Problem(text, KEY)) from error
    for name, wanted in expected.items():
        why = _difference(name, wanted, given.get(name), golden)
        if why is not None:
            raise ConfigError(Problem(f"the model {executor.info.digest} {why}", KEY))


def read_arrays(path: str, key: str) -> Columns:
    """The arrays of a ``.npz`` file by name, none of them pickled.

    Args:
        path: the file.
        key: the configuration's key that led to it.

    Raises:
        ConfigError: it is none.
    """
    try:
        with Path(path).open("rb") as file:
            if not zipfile.is_zipfile(file):
                msg = "it is no archive of arrays by name"
                raise ValueError(msg)  # noqa: TRY301 - one text for all that it is not
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(Problem(f"{path} is no .npz file: {why}", key)) from error


def _difference(name: str, wanted: Array, given: Array | None, golden: Golden) -> str | None:
    if given is None:
        return f"gives no output {name!r}"
    if given.shape != wanted.shape:
        return f"gives {name!r} as {list(given.shape)}, the golden one is {list(wanted.shape)}"
    if wanted.dtype.kind in "iufc" and given.dtype.kind in "iufcb":
        near = np.isclose(given, wanted, rtol=golden.rtol, atol=golden.atol, equal_nan=True)
    else:
        near = given == wanted
    if bool(np.all(near)):
        return None
    first = tuple(np.argwhere(~near)[0].tolist())
    off = int(np.size(near) - np.count_nonzero(near))
    return (
        f"gives other outputs than the golden ones: {off} of {near.size} of {name!r}, the first at "
        f"{list(first)}: {given[first]} for {wanted[first]}"
    )
