"""From the text of an expression to functions over columns."""

import ast
import difflib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

import numpy as np

from streamproc.core import Array, Columns
from streamproc.features import expression_values as of

Kind: TypeAlias = Literal["bool", "number", "str"]

LENGTH_MAX = 10_000
NODES_MAX = 200
"""What is evaluated for each batch, a microsecond or more each; constants in lists do not count."""
DEPTH_MAX = 30
"""Far above what anybody writes, far below where Python's own recursion ends."""
ALLOWED = (
    "allowed are fields, constants, lists of constants, comparisons, in, and, or, not, + - * / // %, "
    "abs(x), min(x, y) and max(x, y)"
)
_CALCULATIONS: dict[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: of.add,
    ast.Sub: of.subtract,
    ast.Mult: of.multiply,
    ast.Div: of.divide,
    ast.FloorDiv: of.floor_divide,
    ast.Mod: of.modulo,
}
_COMPARISONS: dict[type[ast.cmpop], of.Comparison] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_FUNCTIONS = {"abs": 1, "min": 2, "max": 2}
_KINDS: dict[str, Kind] = {"str": "str", "bool": "bool"}
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    Attributes:
        kind: what its values are.
        evaluate: from columns to its values: bool; int64 or float64, NaN being undefined; or objects that
            are text or None. An array of the columns' length, or one value for all.
    """

    kind: Kind
    evaluate: Callable[[Columns], Array]


def parse(text: str, fields: Mapping[str, str]) -> tuple[Node, frozenset[str]]:
    """Compile a text; gives the names of the fields that it uses, too. See ``Expression.parse``."""
    if len(text) > LENGTH_MAX:
        msg = f"the expression is {len(text)} characters long; at most {LENGTH_MAX} are allowed"
        raise ValueError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)  # an unknown backslash, before 3.12
            body = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        place = f" at character {error.offset}" if error.offset else ""
        msg = f"{_shown(text)} is no expression: {error.msg}{place}; {ALLOWED}"
        raise ValueError(msg) from None
    except (ValueError, RecursionError, MemoryError):
        msg = f"{_shown(text)} is no expression: it is nested too deeply or holds a null character"
        raise ValueError(msg) from None
    compiler = _Compiler(text.strip(), fields)
    node = compiler.compile(body, 1)
    if node.kind == "str":
        compiler.refuse(body, "is text: compare it with something")
    return node, frozenset(compiler.used)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")  # noqa: PLR2004 - a line of a message


class _Compiler:
    """Walks the syntax tree once, and checks as it goes."""

    def __init__(self, text: str, fields: Mapping[str, str]) -> None:
        self._text = text
        self._fields = fields
        self._nodes = 0
        self.used: set[str] = set()

    def refuse(self, at: ast.expr, why: str) -> NoReturn:
        part = ast.get_source_segment(self._text, at) or self._text
        place = f"line {at.lineno}, " if at.lineno > 1 else ""
        msg = f"{place}character {at.col_offset + 1}: {_shown(part)} {why}"
        raise ValueError(msg)

    def compile(self, at: ast.expr, depth: int) -> Node:  # noqa: PLR0911 - one line a kind of node
        self._nodes += 1
        if self._nodes > NODES_MAX or depth > DEPTH_MAX:
            what = f"more than {NODES_MAX} parts, or is nested more than {DEPTH_MAX} deep"
            self.refuse(at, f"is too much: the expression has {what}")
        match at:
            case ast.Name():
                return self._field(at)
            case ast.Constant():
                return self._constant(at, at.value)
            case ast.UnaryOp(op=ast.Not()):
                return self._not(at, depth)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return self._sign(at, depth)
            case ast.BinOp():
                return self._calculation(at, depth)
            case ast.BoolOp():
                return self._logic(at, depth)
            case ast.Compare():
                return self._comparison(at, depth)
            case ast.Call():
                return self._call(at, depth)
            case _:
                return self.refuse(at, f"cannot stand in an expression: {ALLOWED}")

    def _field(self, at: ast.Name) -> Node:
        name = at.id
        if name not in self._fields:
            near = difflib.get_close_matches(name, self._fields, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._fields)}"
            self.refuse(at, f"is no field: {hint}")
        kind = self._fields[name]
        if "[" in kind:
            self.refuse(at, f"is an array ({kind}): only fields of a single value can be used")
        self.used.add(name)
        if kind == "str":
            return Node("str", lambda columns: columns[name])
        if kind == "bool":
            return Node("bool", lambda columns: of.as_bool(columns[name]))
        return Node("number", lambda columns: of.as_number(columns[name]))

    def _constant(self, at: ast.expr, value: object) -> Node:
        made: Array
        kind: Kind
        if isinstance(value, bool):
            kind, made = "bool", np.array(value)
        elif isinstance(value, str):
            kind, made = "str", np.array(value, np.object_)
        elif isinstance(value, int) and _INT64.min <= value <= _INT64.max:
            kind, made = "number", np.array(value, np.int64)
        elif isinstance(value, float):
            kind, made = "number", np.array(value, np.float64)
        else:
            self.refuse(at, "cannot be a constant: write text, a number of 64 bits, True or False")
        return Node(kind, lambda _: made)

    def _sign(self, at: ast.UnaryOp, depth: int) -> Node:
        negative = isinstance(at.op, ast.USub)
        value = _signed(at)
        if value is not None:
            return self._constant(at, value)
        inner = self._number(at.operand, depth)
        return Node("number", (lambda c: of.negative(inner(c))) if negative else inner)

    def _not(self, at: ast.UnaryOp, depth: int) -> Node:
        inner = self._condition(at.operand, depth)
        return Node("bool", lambda columns: np.logical_not(inner(columns)))

    def _calculation(self, at: ast.BinOp, depth: int) -> Node:
        function = _CALCULATIONS.get(type(at.op))
        if function is None:
            self.refuse(at, f"calculates with what is not allowed: {ALLOWED}")
        left, right = self._number(at.left, depth), self._number(at.right, depth)
        return Node("number", lambda columns: function(left(columns), right(columns)))

    def _logic(self, at: ast.BoolOp, depth: int) -> Node:
        function = np.logical_and if isinstance(at.op, ast.And) else np.logical_or
        parts = [self._condition(value, depth) for value in at.values]

        def evaluate(columns: Columns) -> Array:
            found: Array = parts[0](columns)
            for part in parts[1:]:
                found = function(found, part(columns))
            return found

        return Node("bool", evaluate)

    def _comparison(self, at: ast.Compare, depth: int) -> Node:
        links = []
        left_at = at.left
        for operator, right_at in zip(at.ops, at.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                links.append(self._membership(left_at, operator, right_at, depth))
            elif type(operator) in _COMPARISONS:
                links.append(self._pair(left_at, _COMPARISONS[type(operator)], right_at, depth))
            else:
                self.refuse(at, f"compares by what is not allowed: {ALLOWED}")
            left_at = right_at

        def evaluate(columns: Columns) -> Array:
            found: Array = links[0](columns)
            for link in links[1:]:
                found = np.logical_and(found, link(columns))
            return found

        return Node("bool", evaluate)

    def _pair(
        self, left_at: ast.expr, compare: of.Comparison, right_at: ast.expr, depth: int
    ) -> Callable[[Columns], Array]:
        left, right = self.compile(left_at, depth + 1), self.compile(right_at, depth + 1)
        if "str" in (left.kind, right.kind):
            if left.kind != right.kind:
                what = "is text, and is compared with a number or a condition"
                self.refuse(left_at if left.kind == "str" else right_at, what)
            return lambda columns: of.compare_text(
                compare, left.evaluate(columns), right.evaluate(columns)
            )
        return lambda columns: of.compare_numbers(
            compare, left.evaluate(columns), right.evaluate(columns)
        )

    def _membership(
        self, left_at: ast.expr, operator: ast.In | ast.NotIn, right_at: ast.expr, depth: int
    ) -> Callable[[Columns], Array]:
        left = self.compile(left_at, depth + 1)
        if not isinstance(right_at, ast.List | ast.Tuple | ast.Set):
            self.refuse(right_at, "must be a list of constants, such as ['a', 'b']")
        values: list[str | int | float] = []
        for item in right_at.elts:
            value: object = item.value if isinstance(item, ast.Constant) else _signed(item)
            if not isinstance(value, str | int | float):
                self.refuse(item, "is no constant: a list holds text or numbers")
            kind = self._constant(item, value).kind
            if (kind == "str") != (left.kind == "str"):
                self.refuse(
                    item, f"is never in {_shown(ast.unparse(left_at))}: one is text, one not"
                )
            values.append(value)
        is_in = of.is_in(values)
        if isinstance(operator, ast.NotIn):
            return lambda columns: np.logical_not(is_in(left.evaluate(columns)))
        return lambda columns: is_in(left.evaluate(columns))

    def _call(self, at: ast.Call, depth: int) -> Node:
        name = at.func.id if isinstance(at.func, ast.Name) else ""
        if name not in _FUNCTIONS:
            self.refuse(at, f"calls what is not allowed: {ALLOWED}")
        if len(at.args) != _FUNCTIONS[name] or at.keywords:
            self.refuse(at, f"must be called with {_FUNCTIONS[name]} value(s)")
        parts = [self._number(argument, depth) for argument in at.args]
        if name == "abs":
            return Node("number", lambda columns: of.absolute(parts[0](columns)))
        function = of.smaller if name == "min" else of.larger
        return Node("number", lambda columns: function(parts[0](columns), parts[1](columns)))

    def _number(self, at: ast.expr, depth: int) -> Callable[[Columns], Array]:
        node = self.compile(at, depth + 1)
        if node.kind == "str":
            self.refuse(at, "is text: it cannot be calculated with")
        return node.evaluate

    def _condition(self, at: ast.expr, depth: int) -> Callable[[Columns], Array]:
        node = self.compile(at, depth + 1)
        if node.kind != "bool":
            what = "text" if node.kind == "str" else "a number"
            self.refuse(at, f"is {what}, no condition: compare it with something")
        return node.evaluate


def _signed(at: ast.expr) -> int | float | None:
    """The value of a number with one sign before it; None for anything else."""
    if not isinstance(at, ast.UnaryOp) or not isinstance(at.operand, ast.Constant):
        return None
    value = at.operand.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(at.op, ast.USub):
        return -value
    return value if isinstance(at.op, ast.UAdd) else None
