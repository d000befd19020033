"""Numbers as people read them: with a unit, and with no more digits than are known."""

from datetime import UTC, datetime
from math import floor, log10

from streamproc.core import NS_PER_MS, NS_PER_S

_NS_PER_US = 1_000
_MINUTE_S = 60
_HOUR_S = 3_600


def rounded(value: float, digits: int) -> str:
    """The number with so many significant digits: 1,994 with three are ``1,990``."""
    if value == 0:
        return "0"
    places = digits - 1 - floor(log10(abs(value)))
    text = f"{round(value, places):,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(ns: float) -> str:
    """A measured duration, two digits (the histogram's bins are 2% wide): ``420 µs``, ``3.4 ms``."""
    if ns == 0:
        return "0"
    for size, unit in ((NS_PER_S, "s"), (NS_PER_MS, "ms")):
        if ns >= 0.9995 * size:  # 999.6 us are 1 ms
            return f"{_whole_or(ns / size)} {unit}"
    return f"{_whole_or(ns / _NS_PER_US)} µs"


def _whole_or(value: float) -> str:
    """Two digits, and all of those before the point."""
    return rounded(value, 2) if value < 99.5 else f"{value:,.0f}"  # noqa: PLR2004 - two digits


def length(seconds: float) -> str:
    """How long something lasted: ``8.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < _MINUTE_S - 0.05:
        return f"{seconds:.1f} s"
    if seconds < _HOUR_S - 0.5:
        minutes, rest = divmod(round(seconds), _MINUTE_S)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / _MINUTE_S), _MINUTE_S)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def time_unit(seconds: float) -> tuple[float, str]:
    """The unit for moments within so long: its seconds, and its name."""
    if seconds <= 3 * _MINUTE_S:
        return 1.0, "seconds"
    if seconds <= 3 * _HOUR_S:
        return float(_MINUTE_S), "minutes"
    return float(_HOUR_S), "hours"


def moment(ns: int) -> str:
    """An instant since 1970 as people write it, UTC."""
    return datetime.fromtimestamp(ns // NS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def rate(per_s: float) -> str:
    """Events a second, three digits: ``1,990/s``."""
    return f"{rounded(per_s, 3)}/s"


def share(part: int, whole: int) -> str:
    """A part in percent, never rounded up to all or down to nothing: 29,999 of 30,000 are ``99.99%``.

    Empty where there is no whole.
    """
    if whole == 0:
        return ""
    if part in (0, whole):
        return "100%" if part else "0%"
    if part * 10_000 < whole:
        return "<0.01%"
    hundredths = min((part * 20_000 + whole) // (2 * whole), 9_999)
    return f"{hundredths / 100:.2f}%"


def count(number: int, one: str, many: str = "") -> str:
    """``1 event``, ``2,000 events``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
