"""Decisions and the truth that comes later, joined by the decision's id, in a bounded memory."""

from collections import OrderedDict
from typing import Any, Final

import msgspec

from streamproc.slo.counts import LabelCounts
from streamproc.slo.options import Labels

_MISSING: Final = object()


class LabelJoin:
    """Joins for one objective.

    Args:
        options: which fields.

    Attributes:
        right: decisions that their labels agree with.
        wrong: those that they do not.
        unmatched: labels of decisions that are not, or no longer, known.
        unread: records that are no such objects.
    """

    def __init__(self, options: Labels) -> None:
        self.options = options
        self.right = self.wrong = self.unmatched = self.unread = 0
        self._decided: OrderedDict[str, tuple[int, object]] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._path = options.decided.split(".")

    @property
    def counts(self) -> LabelCounts:
        """Right and wrong ones."""
        return LabelCounts(self.right, self.wrong)

    def decided(self, value: bytes, now_ns: int) -> None:
        """A decision was published: JSON with ``id`` and ``output``."""
        record = _object(value)
        name, output = record.get("id"), record.get("output")
        for part in self._path:
            output = output.get(part, _MISSING) if isinstance(output, dict) else _MISSING
        if not isinstance(name, str) or output is _MISSING:
            self.unread += 1
            return
        if name in self._counted:
            return
        self._decided[name] = (now_ns, output)
        while len(self._decided) > self.options.remember:
            self._decided.popitem(last=False)
        self._forget(now_ns)

    def labelled(self, value: bytes, now_ns: int) -> None:
        """A label came: JSON with the fields that the options name. One decision is counted once."""
        self._forget(now_ns)
        record = _object(value)
        name, label = record.get(self.options.id), record.get(self.options.label, _MISSING)
        if not isinstance(name, str) or label is _MISSING:
            self.unread += 1
            return
        known = self._decided.pop(name, None)
        if known is None:
            self.unmatched += 1
            return
        if known[1] == label:
            self.right += 1
        else:
            self.wrong += 1
        self._counted[name] = None
        if len(self._counted) > self.options.remember:
            self._counted.popitem(last=False)

    def _forget(self, now_ns: int) -> None:
        while self._decided:
            since_ns, _ = next(iter(self._decided.values()))
            if now_ns - since_ns <= self.options.within:
                return
            self._decided.popitem(last=False)


def _object(value: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
