"""What must hold of every pipeline, as assertions that say what does not."""

from collections.abc import Iterable, Mapping
from typing import Literal

from streamproc.telemetry import Accounts, Summary
from streamproc.testing.result import Decision

_SHOWN = 5
_GOOD = ("on_time", "degraded")


def assert_accounts(books: Summary | Accounts, *, in_flight: int = 0) -> None:
    """The outcomes add up to what was consumed; fetched is consumed and handed back.

    Args:
        books: a summary, as ``--json`` prints it, or the accounts themselves, which also know what was
            fetched.
        in_flight: events that have no outcome yet.

    Raises:
        AssertionError: they do not add up.
    """
    if isinstance(books, Accounts):
        books.check(in_flight=in_flight)
        books = books.summary(1.0, 0.0)
    total = sum(books["outcomes"].values())
    _see(
        total == books["consumed"],
        f"the outcomes add up to {total}, but {books['consumed']} were consumed: {books['outcomes']}",
    )
    negative = {word: n for word, n in books["outcomes"].items() if n < 0}
    _see(not negative and books["handed_back"] >= 0, f"counts below 0: {negative or 'handed_back'}")
    explained = books["outcomes"]["shed"] + books["outcomes"]["dead_letter"]
    reasons = sum(books["reasons"].values())
    _see(
        reasons >= explained,
        f"{explained} were shed or became dead letters, but only {reasons} have a reason: "
        f"{books['reasons']}",
    )


def assert_no_on_time_after_deadline(
    decisions: Iterable[Decision],
    acknowledged_ns: Mapping[str, int] | None = None,
    *,
    acked_late: int = 0,
) -> None:
    """No decision is published as good after its deadline.

    Args:
        decisions: what was published.
        acknowledged_ns: when each was acknowledged, by id; None looks at the instant of decision only.
        acked_late: how many the accounts say were published in time and acknowledged too late; it must
            be exactly as many.

    Raises:
        AssertionError: one was, or the accounts are wrong about the acknowledgements.
    """
    good = [d for d in decisions if d.outcome in _GOOD]
    wrong = [d for d in good if d.decided_ns > d.deadline_ns]
    told = ", ".join(
        f"{d.id} {d.outcome} {d.decided_ns - d.deadline_ns} ns late" for d in wrong[:_SHOWN]
    )
    _see(not wrong, f"{len(wrong)} published as good after their deadline: {told}")
    if acknowledged_ns is None:
        return
    late = [d.id for d in good if d.id in acknowledged_ns and acknowledged_ns[d.id] > d.deadline_ns]
    _see(
        len(late) == acked_late,
        f"{len(late)} good decisions were acknowledged after their deadline, the accounts say "
        f"{acked_late}: {', '.join(late[:_SHOWN])}",
    )


def assert_order(
    decisions: Iterable[Decision],
    by: Literal["key", "partition"] = "key",
    *,
    repeats: bool = False,
) -> None:
    """Decisions of one key (or of one partition) stand in the order of their events.

    Args:
        decisions: in the order of their topic, each output partition by itself.
        by: whose order is to be kept; decisions without a key have none by key.
        repeats: True where a decision may come again, as after a crash; only its first time counts.

    Raises:
        AssertionError: two are the wrong way round.
    """
    last: dict[object, Decision] = {}
    seen: set[str] = set()
    for decision in decisions:
        if by == "key" and decision.key is None:
            continue
        if repeats and decision.id in seen:
            continue
        seen.add(decision.id)
        whose = (decision.record.partition, decision.source, decision.key if by == "key" else None)
        before = last.get(whose)
        name = f"key {decision.key!r}" if by == "key" else f"partition {decision.source}"
        _see(
            before is None or before.offset < decision.offset,
            f"{name}: {decision.id} stands behind {before.id if before else ''}",
        )
        last[whose] = decision


def _see(condition: bool, message: str) -> None:  # noqa: FBT001 - as in an assert statement
    if not condition:
        raise AssertionError(message)
