"""Expressions over decoded fields (stands in until the real ones come)."""

import ast
import operator
from typing import Any

import numpy as np

from streamproc.core import Array, Columns

_BIN: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_CMP: dict[type, Any] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip


class Expression:
    def __init__(self, tree: ast.expr) -> None:
        self._tree = tree
        self.fields = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))

    @classmethod
    def parse(cls, text: str) -> "Expression":
        try:
            return cls(ast.parse(text, mode="eval").body)
        except SyntaxError as error:
            raise ValueError(str(error)) from None

    def evaluate(self, columns: Columns) -> Array:
        return self._of(self._tree, columns)

    def _of(self, n: ast.expr, c: Columns) -> Any:
        match n:
            case ast.Name():
                return c[n.id]
            case ast.Constant():
                return n.value
            case ast.BinOp():
                return _BIN[type(n.op)](self._of(n.left, c), self._of(n.right, c))
            case ast.BoolOp():
                f = np.logical_and if isinstance(n.op, ast.And) else np.logical_or
                return f.reduce([self._of(v, c) for v in n.values])
            case ast.UnaryOp():
                v = self._of(n.operand, c)
                return ~v if isinstance(n.op, ast.Not) else -v
            case ast.List() | ast.Tuple():
                return [self._of(e, c) for e in n.elts]
            case ast.Compare(ops=[op], comparators=[right]):
                a, b = self._of(n.left, c), self._of(right, c)
                if isinstance(op, ast.In):
                    return np.logical_or.reduce([a == x for x in b])
                if isinstance(op, ast.NotIn):
                    return ~np.logical_or.reduce([a == x for x in b])
                return _CMP[type(op)](a, b)
        raise ValueError(ast.dump(n))
