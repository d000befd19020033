"""From values to places along an axis, and the values at which it is labelled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 5, 10)
_ENOUGH = 3
"""Fewer labels than this do not tell a logarithmic axis from a linear one."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis.

    Attributes:
        low: the value at its begin.
        high: the value at its end, above low.
        ticks: the values that are labelled, ascending.
        logarithmic: True where equal ratios have equal lengths.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The value's place, 0 to 1; what lies outside stands at the end."""
        if self.logarithmic:
            value = max(value, self.low)
            place = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            place = (value - self.low) / (self.high - self.low)
        return min(max(place, 0.0), 1.0)

    def times(self, factor: float) -> "Scale":
        """The same axis in a unit that is smaller by the factor, so that its labels are round in the larger one."""
        ticks = tuple(tick * factor for tick in self.ticks)
        return Scale(self.low * factor, self.high * factor, ticks, self.logarithmic)


def linear(high: float, *, ticks_max: int = 5, whole: bool = False) -> Scale:
    """From 0 to a round number at or above ``high``.

    Args:
        high: the largest value.
        ticks_max: how many labels there are at most, the 0 included.
        whole: True where only whole numbers make sense, such as for events.
    """
    if high <= 0:
        high = 1
    step = _round_up(high / (ticks_max - 1))
    if whole:
        step = max(1.0, step)
    steps = math.ceil(high / step - 1e-9)
    return Scale(0, steps * step, tuple(i * step for i in range(steps + 1)))


def within(high: float, *, ticks_max: int = 7) -> Scale:
    """From 0 to exactly ``high``, labelled at round numbers: an axis of time."""
    step = _round_up(high / (ticks_max - 1))
    return Scale(0, high, tuple(i * step for i in range(math.floor(high / step + 1e-9) + 1)))


def logarithmic(low: float, high: float) -> Scale:
    """Round numbers (1, 2, 5) around both ends.

    Args:
        low: the smallest value, above 0.
        high: the largest.
    """
    bottom, top = _round_down(low), _round_up(high)
    if bottom >= top:
        top = _round_up(bottom * 1.01)
    ticks = _round_numbers(bottom, top, (1, 2, 5))
    if len(ticks) > 7:  # noqa: PLR2004 - what stands side by side on a phone
        coarse = _round_numbers(bottom, top, (1,))
        ticks = coarse if len(coarse) >= _ENOUGH else ticks[::2]
    return Scale(bottom, top, ticks, logarithmic=True)


def _round_numbers(low: float, high: float, digits: Sequence[int]) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = (digit * 10.0**power for power in powers for digit in digits)
    return tuple(n for n in numbers if low * (1 - 1e-9) <= n <= high * (1 + 1e-9))


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, or the value itself."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


def _round_down(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in _STEPS if step * power <= value * (1 + 1e-9))
