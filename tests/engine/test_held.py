"""Answers that wait, against a slow obvious version that keeps a list."""

from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Outcome
from streamproc.engine.conclude import Ran
from streamproc.engine.held import Answers, HeldAnswers
from tests.support.events import events_of

Kind = Literal["add", "stand", "better", "release"]


def answers(numbers: list[int], variant: int) -> Answers:
    """Of events with these numbers."""
    batch = events_of(len(numbers), number=numbers)
    outputs = {"y": np.array(numbers, np.float64) + variant / 10}
    return Answers(batch, outputs, Ran(0, 1, variant, (), None, outcome=Outcome.ON_TIME))


class Obvious:
    """One event after the other."""

    def __init__(self, *, keep_order: bool) -> None:
        self.keep_order = keep_order
        self.waiting: list[dict[str, int | bool]] = []

    def release(self) -> list[tuple[int, int]]:
        gone = [
            one
            for one in self.waiting
            if not one["asked"]
            and not (
                self.keep_order
                and any(
                    other["asked"]
                    and other["group"] == one["group"]
                    and other["number"] < one["number"]
                    for other in self.waiting
                )
            )
        ]
        self.waiting = [one for one in self.waiting if one not in gone]
        return sorted((int(one["number"]), int(one["variant"])) for one in gone)


@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5),
            st.sampled_from(["stand", "better", "release"]),
            st.integers(0, 30),
        ),
        min_size=1,
        max_size=12,
    ),
    keep_order=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_goes_and_what_waits_is_what_a_list_says(
    steps: list[tuple[list[tuple[int, bool]], Kind, int]], *, keep_order: bool
) -> None:
    held, obvious = HeldAnswers(keep_order=keep_order), Obvious(keep_order=keep_order)
    group_of: dict[int, int] = {}
    total, last_of_group = 0, {0: -1, 1: -1, 2: -1}
    for rows, what, which in steps:
        numbers = list(range(total, total + len(rows)))
        total += len(rows)
        group_of |= {n: group for n, (group, _) in zip(numbers, rows, strict=True)}
        asked = np.array([ask for _, ask in rows])
        held.add(
            answers(numbers, 1),
            asked=asked,
            group=np.array([group for group, _ in rows]),
            due_ns=np.array(numbers),
        )
        obvious.waiting += [
            {"number": n, "group": group, "asked": ask, "variant": 1}
            for n, (group, ask) in zip(numbers, rows, strict=True)
        ]
        open_ = [int(one["number"]) for one in obvious.waiting if one["asked"]]
        chosen = [n for n in open_ if n % 3 == which % 3]
        if what == "stand":
            held.stand(np.array(chosen, np.int64))
        elif what == "better" and chosen:
            held.better(answers(chosen, 0), asked=np.zeros(len(chosen), np.bool_))
        if what != "release":
            for one in obvious.waiting:
                if one["number"] in chosen:
                    one["asked"] = False
                    one["variant"] = 0 if what == "better" else one["variant"]
        released = []
        for piece in held.release():
            for number, output in zip(
                piece.events.number.tolist(), piece.outputs["y"].tolist(), strict=True
            ):
                assert output == number + piece.ran.variant / 10
                if keep_order:
                    assert number > last_of_group[group_of[number]]
                    last_of_group[group_of[number]] = number
                released.append((number, piece.ran.variant))
        assert sorted(released) == obvious.release()
        assert len(held) == len(obvious.waiting)
        assert held.due_ns == min((int(one["number"]) for one in obvious.waiting), default=None)


def test_who_must_leave_takes_those_before_it_along() -> None:
    held = HeldAnswers(keep_order=True)
    held.add(
        answers([1, 2, 3, 4], 1),
        asked=np.array([True, False, True, True]),
        group=np.array([7, 7, 7, 8]),
        due_ns=np.array([100, 50, 100, 100]),
    )
    assert held.due(49).tolist() == []
    assert held.due(50).tolist() == [1]
    assert held.due(100).tolist() == [1, 3, 4]


def test_what_a_partition_had_is_forgotten() -> None:
    held = HeldAnswers(keep_order=True)
    held.add(
        answers([1, 2], 1),
        asked=np.array([True, True]),
        group=np.array([7, 7]),
        due_ns=np.array([5, 6]),
    )
    held.drop(0)
    assert (len(held), held.due_ns, list(held.release())) == (0, None, [])
