"""Values that are made thousands of times a second."""

from dataclasses import MISSING, Field, field, fields, make_dataclass
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value")


def light(cls: type[Value]) -> type[Value]:
    """Make a frozen dataclass as quick to construct as one that is not.

    The constructor of a frozen dataclass sets each attribute by a call of ``object.__setattr__``: 3 us for an
    ``EventBatch``, where plain assignments take 0.5, and a batch makes twenty such values on its way. Here they are plain:
    the type checker still refuses changes, the running program does not. To be written above ``@dataclass(frozen=True, slots=True)``.

    Raises:
        TypeError: the class has a ``__post_init__``, which the plain constructor would pass over.
    """
    if hasattr(cls, "__post_init__"):
        msg = f"{cls.__name__} has a __post_init__: it cannot be light"
        raise TypeError(msg)
    copies = [(f.name, f.type, _copy(f)) for f in fields(cast("type[DataclassInstance]", cls))]
    plain = make_dataclass(cls.__name__, copies, repr=False, eq=False)
    init = vars(plain)["__init__"]  # the same arguments, defaults and order
    setattr(cls, "__init__", init)  # noqa: B010 - an assignment is a mistake to the type checker
    del cls.__setattr__, cls.__delattr__
    return cls


def _copy(of: Field[object]) -> object:
    if of.default_factory is not MISSING:
        return field(default_factory=of.default_factory, kw_only=of.kw_only)
    return field(default=of.default, kw_only=of.kw_only)
