"""What all ways to make a model's inputs have in common."""

from typing import Protocol

import numpy as np

from streamproc.core import Array, Columns, EventBatch, TensorSpec


class Features(Protocol):
    """Makes the model's inputs of a batch of events."""

    def build(self, events: EventBatch) -> Columns:
        """The inputs by name, each [n, ...], for n events.

        Raises:
            Exception: whatever the user's function raises; ValueError where the result does not fit.
        """
        ...


def fit(name: str, value: object, spec: TensorSpec | None, rows: int) -> Array:
    """An input as the model takes it.

    Args:
        name: the input's name, for the message.
        value: what was made.
        spec: what the model takes; None where it does not say.
        rows: how many events there are.

    Raises:
        ValueError: the number of rows or the shape does not fit.
    """
    array = np.asarray(value)
    if array.ndim == 0 or len(array) != rows:
        found = "no rows" if array.ndim == 0 else f"{len(array)} rows"
        msg = f"features for {name!r} have {found} for {rows} events: one row an event is needed"
        raise ValueError(msg)
    if spec is None:
        return array
    if array.ndim == 1 and len(spec.shape) == 1:
        array = array[:, np.newaxis]
    elif not spec.shape and array.shape[1:] == (1,):
        array = array[:, 0]
    if not shape_fits(array.shape[1:], spec.shape):
        msg = (
            f"features for {name!r} have the shape {list(array.shape[1:])} an event, "
            f"the model takes {list(spec.shape)}"
        )
        raise ValueError(msg)
    if spec.dtype == "object":
        return _texts(name, array)
    if array.dtype != spec.dtype:
        with np.errstate(over="ignore"):
            array = array.astype(spec.dtype)
    return np.ascontiguousarray(array)


def _texts(name: str, array: Array) -> Array:
    """The same as objects, all of which are texts: of all else onnxruntime would take what ``str`` makes of it."""
    if array.dtype.kind != "U":
        others = {type(one) for one in array.ravel().tolist()} - {str, np.str_}
        if others:
            kinds = ", ".join(sorted(kind.__name__ for kind in others))
            msg = f"features for {name!r} hold {kinds}, the model takes texts"
            raise ValueError(msg)
    return np.ascontiguousarray(array, np.object_)


def shape_fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """True where a shape behind the batch axis is what the model takes."""
    return len(shape) == len(wanted) and all(
        size in (None, actual) for actual, size in zip(shape, wanted, strict=True)
    )
