"""What lookups look into: numbers by key, put there at the start, by a topic, or by a function that is asked."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from streamproc.core import BoolArray, Float64Array, Int64Array, UserFunction

_FIRST = 1_024


class Table(Protocol):
    """Numbers by key."""

    def look(self, keys: Sequence[str], time_ns: Int64Array) -> tuple[Float64Array, BoolArray]:
        """The numbers of keys.

        Args:
            keys: n keys.
            time_ns: int64 [n], when the events happened that ask.

        Returns:
            float64 [n, width], whatever where there are none; and bool [n], where there are some.
        """
        ...


class KeyedNumbers:
    """A bounded table.

    Args:
        width: how many numbers each key has.
        keys_max: how many keys are kept; of more, those that were put there first go.

    Attributes:
        evicted_total: keys that went because there was no room.
    """

    def __init__(self, width: int, *, keys_max: int) -> None:
        self._width = width
        self._keys_max = keys_max
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._numbers: Float64Array = np.zeros((1, width))
        """The row behind all others stands for keys that are not there."""
        self.evicted_total = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def put(self, key: str, numbers: Sequence[float] | Float64Array) -> None:
        """Set the numbers of a key, which is the youngest from then on."""
        row = self._rows.pop(key, None)
        if row is None:
            if len(self._rows) >= self._keys_max:
                self.remove(next(iter(self._rows)))
                self.evicted_total += 1
            row = self._free.pop() if self._free else len(self._rows)
        if row >= len(self._numbers) - 1:
            grown = np.zeros((max(_FIRST, 2 * len(self._numbers)), self._width))
            grown[: len(self._numbers)] = self._numbers
            self._numbers = grown
        self._rows[key] = row
        self._numbers[row] = numbers

    def remove(self, key: str) -> None:
        """Take a key out, if it is there."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._free.append(row)

    def clear(self) -> None:
        """Take all keys out."""
        self._rows.clear()
        self._free.clear()

    def contents(self) -> tuple[list[str], Float64Array]:
        """All keys, those that were put there first in front, and their numbers (float64 [n, width])."""
        row = np.fromiter(self._rows.values(), np.int64, len(self._rows))
        return list(self._rows), self._numbers[row]

    def look(
        self,
        keys: Sequence[str],
        time_ns: Int64Array,  # noqa: ARG002 - see Table
    ) -> tuple[Float64Array, BoolArray]:
        """See ``Table``."""
        nowhere = len(self._numbers) - 1
        row = np.fromiter((self._rows.get(key, nowhere) for key in keys), np.int64, len(keys))
        return self._numbers[row], row != nowhere


class AskedTable:
    """Asks the user's function for what is not known, or was known for too long, once for all keys of a batch.

    Args:
        function: takes a list of keys, and gives a mapping from those that there are to mappings of numbers.
        fields: the numbers that are taken of these.
        keys_max: how many keys' answers are kept; of more, those that were asked for first go.
        ttl_ns: how long an answer holds, by event time; None for ever.

    Attributes:
        asked_total: how many keys were asked for.
    """

    def __init__(
        self,
        function: UserFunction,
        fields: Sequence[str],
        *,
        keys_max: int,
        ttl_ns: int | None,
    ) -> None:
        self._function = function
        self._fields = tuple(fields)
        self._ttl_ns = ttl_ns
        self._keys_max = keys_max
        self._known = KeyedNumbers(len(self._fields) + 1, keys_max=keys_max)
        """With 1 behind the numbers of a key that there is, and 0 for one that there is not."""
        self._since_ns: dict[str, int] = {}
        self.asked_total = 0

    def look(self, keys: Sequence[str], time_ns: Int64Array) -> tuple[Float64Array, BoolArray]:
        """See ``Table``.

        Raises:
            Exception: whatever the function raises; ValueError where its answer does not fit.
        """
        made = np.empty((len(keys), len(self._fields) + 1))
        # No more keys at once than can be known at once.
        for start in range(0, len(keys), self._keys_max):
            part = slice(start, start + self._keys_max)
            self._learn(keys[part], time_ns[part])
            made[part], _ = self._known.look(keys[part], time_ns[part])
        return made[:, :-1], made[:, -1] > 0

    def _learn(self, keys: Sequence[str], time_ns: Int64Array) -> None:
        latest_ns: dict[str, int] = {}
        for key, at_ns in zip(keys, time_ns.tolist(), strict=True):
            latest_ns[key] = max(at_ns, latest_ns.get(key, at_ns))
        asked = [key for key, at_ns in latest_ns.items() if self._is_due(key, at_ns)]
        if not asked:
            return
        if len(self._known) + len(asked) > self._keys_max:
            for key in latest_ns.keys() - set(asked):  # so that they are not those that go
                kept, _ = self._known.look([key], time_ns[:1])
                self._known.put(key, kept[0])
        answers = self._function(asked)
        if not isinstance(answers, Mapping):
            msg = f"a lookup's function must give a mapping by key, gave {type(answers).__name__}"
            raise ValueError(msg)  # noqa: TRY004 - what the user's function gives is a value
        found = {key: self._numbers_of(answers.get(key)) for key in asked}
        self.asked_total += len(asked)
        for key, numbers in found.items():
            self._known.put(key, numbers)
            self._since_ns[key] = latest_ns[key]
        if len(self._since_ns) > 2 * self._keys_max:
            self._since_ns = {k: ns for k, ns in self._since_ns.items() if k in self._known}

    def _is_due(self, key: str, at_ns: int) -> bool:
        if key not in self._known:
            return True
        return self._ttl_ns is not None and at_ns >= self._since_ns[key] + self._ttl_ns

    def _numbers_of(self, answer: object) -> list[float]:
        """A key's row."""
        if answer is None:
            return [0.0] * (len(self._fields) + 1)
        if not isinstance(answer, Mapping):
            msg = f"a lookup's function must give a mapping of numbers for a key, gave {type(answer).__name__}"
            raise ValueError(msg)  # noqa: TRY004 - as above
        numbers = [float(answer[name]) for name in self._fields]
        if not np.isfinite(numbers).all():
            msg = "a lookup's function gave a NaN or an infinity"
            raise ValueError(msg)
        return [*numbers, 1.0]
