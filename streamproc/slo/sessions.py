"""Trading sessions: a budget a day that begins with the opening bell, in the exchange's own time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamproc.core import NS_PER_S

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = re.compile(r"^([01][0-9]|2[0-3]):([0-5][0-9])$")
_MINUTES_A_DAY: Final = 24 * 60
_SHORTEST_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Session:
    """The hours of an exchange; a close before the open is on the next day.

    Attributes:
        open: when it begins, ``HH:MM``.
        close: when it ends, ``HH:MM``; at least an hour later.
        timezone: of both, such as ``America/New_York``.
        days: on which it begins.
    """

    open: str
    close: str
    timezone: str = "UTC"
    days: Sequence[Weekday] = _DAYS[:5]

    def __post_init__(self) -> None:
        for name in ("open", "close"):
            if not _CLOCK.match(text := getattr(self, name)):
                msg = f'{name} must be a time of the day such as "09:30", was {text!r}'
                raise ValueError(msg)
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            msg = f"timezone must be a name such as America/New_York, was {self.timezone!r}"
            raise ValueError(msg) from None
        if self._minutes < _SHORTEST_MINUTES:
            msg = f"close must be at least an hour after open, was {self.open} to {self.close}"
            raise ValueError(msg)
        if not self.days:
            msg = "days must name at least one, such as mon"
            raise ValueError(msg)

    @property
    def _minutes(self) -> int:
        begin, end = (_minutes_of(text) for text in (self.open, self.close))
        return (end - begin) % _MINUTES_A_DAY

    @property
    def length_ns(self) -> int:
        """From open to close, by a clock that no daylight saving moves."""
        return self._minutes * 60 * NS_PER_S

    def opened_ns(self, now_ns: int) -> int | None:
        """When the session that is on began; None where none is.

        Args:
            now_ns: the present instant, ns since 1970.
        """
        zone = ZoneInfo(self.timezone)
        now = datetime.fromtimestamp(now_ns / NS_PER_S, tz=UTC)
        local = now.astimezone(zone)
        hours, minutes = divmod(_minutes_of(self.open), 60)
        for back in (0, 1):  # the one of yesterday may go on past midnight
            day = local.date() - timedelta(days=back)
            if _DAYS[day.weekday()] not in self.days:
                continue
            begin = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=zone)
            begin_ns = int(begin.timestamp()) * NS_PER_S
            if begin_ns <= now_ns < begin_ns + self.length_ns:
                return begin_ns
        return None


def _minutes_of(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
