"""Sessions in the exchange's own time, daylight saving included."""

from datetime import UTC, datetime

import pytest

from streamproc.core import NS_PER_S
from streamproc.slo import Session

NEW_YORK = Session("09:30", "16:00", "America/New_York")
CHICAGO = Session("17:00", "16:00", "America/Chicago", days=("sun", "mon", "tue", "wed", "thu"))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


@pytest.mark.parametrize(
    ("session", "now", "opened"),
    [
        (NEW_YORK, "2026-03-06T14:30:00", "2026-03-06T14:30:00"),  # Friday, winter
        (NEW_YORK, "2026-03-06T14:29:59", None),
        (NEW_YORK, "2026-03-06T20:59:59", "2026-03-06T14:30:00"),
        (NEW_YORK, "2026-03-06T21:00:00", None),
        (NEW_YORK, "2026-03-07T15:00:00", None),  # Saturday
        (NEW_YORK, "2026-03-09T13:30:00", "2026-03-09T13:30:00"),  # Monday, summer time
        (CHICAGO, "2026-03-03T05:00:00", "2026-03-02T23:00:00"),  # past midnight
        (CHICAGO, "2026-03-06T23:00:00", None),  # Friday evening
    ],
)
def test_when_it_opened(session: Session, now: str, opened: str | None) -> None:
    assert session.opened_ns(at(now)) == (None if opened is None else at(opened))
