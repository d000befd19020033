"""Whether the promises were kept, by the word of a consumer that knows nothing of the pipeline."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streamproc.replay import Seen
from streamproc.telemetry import Summary

_IN_TIME = ("on_time", "degraded")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was verified.

    Attributes:
        decided: decisions by the pipeline's books.
        seen: what the consumer found.
        shared_clock: True where the broker's times can be held against the pipeline's.
        problems: promises that were broken.
    """

    decided: int
    seen: Seen
    shared_clock: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True where no promise was broken."""
        return not self.problems

    @property
    def appended_after_deadline(self) -> int | None:
        """By the broker's clock; None where the broker does not stamp, or has another clock."""
        return (
            self.seen.appended_after_deadline if self.seen.stamped and self.shared_clock else None
        )

    def as_json(self) -> dict[str, Any]:
        """For the summary."""
        seen = self.seen
        return {
            "ok": self.ok,
            "problems": list(self.problems),
            "decided": self.decided,
            "distinct": seen.distinct,
            "repeats": seen.records - seen.distinct - seen.undecodable,
            "unread": seen.unread,
            "decided_after_deadline": seen.decided_after_deadline,
            "appended_after_deadline": self.appended_after_deadline,
        }


def judge(
    summary: Summary, seen: Seen, generator: Mapping[str, Any], *, shared_clock: bool
) -> Verdict:
    """Hold the pipeline's books against what was sent and what was seen."""
    outcomes = summary["outcomes"]
    decided = sum(outcomes[name] for name in (*_IN_TIME, "late"))
    problems = [
        *_books(summary, generator),
        *_topic(decided, seen),
        *_times(sum(outcomes[name] for name in _IN_TIME), seen, shared_clock=shared_clock),
    ]
    return Verdict(decided, seen, shared_clock, tuple(problems))


def _books(summary: Summary, generator: Mapping[str, Any]) -> Iterator[str]:
    consumed = summary["consumed"]
    total = sum(summary["outcomes"].values())
    if total != consumed:
        yield f"the outcomes add up to {total:,}, but {consumed:,} were consumed"
    if generator["failed"]:
        yield f"{generator['failed']:,} events never reached the broker"
    left = generator["sent"] - generator["failed"] - consumed
    if left > 0:
        yield f"{left:,} of the events that were sent were not consumed ({summary['skipped']:,} skipped)"


def _topic(decided: int, seen: Seen) -> Iterator[str]:
    if seen.undecodable:
        yield f"{seen.undecodable:,} records in the topic are no decisions"
    if seen.distinct > decided:
        yield f"{seen.distinct:,} decisions were seen, but the books have {decided:,}"
    if seen.distinct + seen.unread < decided:
        yield f"{decided - seen.distinct - seen.unread:,} decisions of the books are not in the topic"


def _times(in_time: int, seen: Seen, *, shared_clock: bool) -> Iterator[str]:
    if seen.decided_after_deadline:
        yield f"{seen.decided_after_deadline:,} decisions say on_time and were made after their deadline"
    if not seen.stamped or not shared_clock or seen.unread:
        return
    # A decision that says on_time may be delayed on its way: then the books must say late.
    appended_in_time = sum(seen.outcomes.get(name, 0) for name in _IN_TIME)
    appended_in_time -= seen.appended_after_deadline
    if appended_in_time < in_time:
        yield (
            f"the books have {in_time:,} in time, the broker appended only {appended_in_time:,} "
            "before their deadline"
        )
